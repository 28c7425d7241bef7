"""Rules about budgets and scalers: nothing blocks a drain, nothing fights over replicas, no consumer without a partition."""

import re
from collections.abc import Iterator

from cli.manifests.findings import Context, rule
from cli.manifests.rendering import Manifests, Object, Workload, label_of

_REPLICATED = ("Deployment", "StatefulSet", "Rollout")


def _target(manifests: Manifests, reference: Object) -> Workload | None:
    kind = reference.get("kind", "Deployment")
    return next((work for work in manifests.workloads if (work.kind, work.name) == (kind, reference["name"])), None)


def _replicas(work: Workload) -> int:
    return int(work.object["spec"].get("replicas", 1))


@rule
def budgets_allow_drains(manifests: Manifests, _: Context) -> Iterator[str]:
    """A budget that allows no eviction blocks every node upgrade; one that allows two breaks a quorum of three."""
    for item in manifests.of("PodDisruptionBudget"):
        chosen = manifests.selected(item["spec"].get("selector", {}).get("matchLabels", {}))
        if not chosen:
            yield f"{label_of(item)}: selects no pods"
        for work in chosen:
            replicas = _replicas(work)
            least, most = item["spec"].get("minAvailable"), item["spec"].get("maxUnavailable")
            if isinstance(least, int) and least >= replicas:
                yield f"{label_of(item)}: minAvailable {least} of {replicas} replicas of {work} blocks every drain"
            if most in {0, "0", "0%"}:
                yield f"{label_of(item)}: maxUnavailable {most} blocks every drain"
            allowed = most if isinstance(most, int) else replicas - least if isinstance(least, int) else 0
            if work.kind == "StatefulSet" and replicas >= 3 and allowed > (replicas - 1) // 2:
                yield f"{label_of(item)}: {allowed} of {replicas} replicas of {work} may go at once, and its quorum with them"


@rule
def every_workload_has_a_budget(manifests: Manifests, _: Context) -> Iterator[str]:
    """Without one a drain takes all replicas at once."""
    budgets = [item["spec"].get("selector", {}).get("matchLabels", {}) for item in manifests.of("PodDisruptionBudget")]
    for work in manifests.workloads:
        if work.kind in _REPLICATED and not any(wanted and wanted.items() <= work.labels.items() for wanted in budgets):
            yield f"{work}: no PodDisruptionBudget selects its pods"


@rule
def scalers_have_targets(manifests: Manifests, _: Context) -> Iterator[str]:
    """A scaler of something that is not there scales nothing and says so only in its events."""
    for item in manifests.of("HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"):
        spec = item["spec"]
        reference = spec.get("targetRef" if item["kind"] == "VerticalPodAutoscaler" else "scaleTargetRef", {})
        if _target(manifests, reference) is None:
            yield f"{label_of(item)}: {reference.get('kind', 'Deployment')} {reference.get('name')} is not there"
        least = spec.get("minReplicas", spec.get("minReplicaCount", 1))
        most = spec.get("maxReplicas", spec.get("maxReplicaCount", 100))
        if item["kind"] != "VerticalPodAutoscaler" and least > most:
            yield f"{label_of(item)}: at least {least} and at most {most} replicas cannot be"


@rule
def one_scaler_for_each(manifests: Manifests, _: Context) -> Iterator[str]:
    """Two that set the same replicas fight; a VPA that acts under an HPA on the same resource moves its goal."""
    scaled: dict[tuple[str, str], list[Object]] = {}
    for item in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        reference = item["spec"]["scaleTargetRef"]
        scaled.setdefault((reference.get("kind", "Deployment"), reference["name"]), []).append(item)
    for (kind, name), several in scaled.items():
        if len(several) > 1:
            yield f"{kind}/{name}: scaled by {' and '.join(map(label_of, several))}"
    for item in manifests.of("VerticalPodAutoscaler"):
        reference = item["spec"]["targetRef"]
        mode = item["spec"].get("updatePolicy", {}).get("updateMode", "Auto")
        if mode == "Auto":
            yield f"{label_of(item)}: updateMode Auto is deprecated; say Off, Initial, Recreate or InPlaceOrRecreate"
        if mode != "Off" and (reference["kind"], reference["name"]) in scaled:
            yield f"{label_of(item)}: acts on {reference['kind']}/{reference['name']}, which is scaled by its load"
        if mode in {"Auto", "Recreate", "InPlaceOrRecreate"} and reference["kind"] == "StatefulSet":
            yield f"{label_of(item)}: would restart members of {reference['name']} whenever it likes"


@rule
def consumers_within_partitions(manifests: Manifests, context: Context) -> Iterator[str]:
    """A consumer beyond the number of partitions has nothing to read."""
    for item in manifests.of("ScaledObject"):
        for trigger in item["spec"].get("triggers", []):
            if trigger["type"] not in {"kafka", "apache-kafka"}:
                continue
            topic = trigger["metadata"].get("topic")
            partitions = context.partitions.get(topic or "")
            if topic and partitions is None:
                yield f"{label_of(item)}: topic {topic} is not declared in contracts/topics"
            most = item["spec"].get("maxReplicaCount", 100)
            if partitions is not None and most > partitions:
                yield f"{label_of(item)}: up to {most} consumers for the {partitions} partitions of {topic}"


@rule
def resource_metrics_have_requests(manifests: Manifests, _: Context) -> Iterator[str]:
    """Utilisation is a share of the request."""
    for item in manifests.of("HorizontalPodAutoscaler"):
        work = _target(manifests, item["spec"]["scaleTargetRef"])
        for metric in item["spec"].get("metrics", []):
            if work is None or metric["type"] != "Resource":
                continue
            name = metric["resource"]["name"]
            if any(name not in container.get("resources", {}).get("requests", {}) for container in work.containers):
                yield f"{label_of(item)}: {work} has no {name} request to be a share of"


@rule
def schedules_are_schedules(manifests: Manifests, _: Context) -> Iterator[str]:
    """Two backups at once, or one that never ends."""
    for item in manifests.of("CronJob"):
        spec = item["spec"]
        if len(spec["schedule"].split()) != 5 or not re.fullmatch(r"[\d*/, A-Za-z-]+", spec["schedule"]):
            yield f"{label_of(item)}: schedule {spec['schedule']!r} has not five fields"
        if spec.get("concurrencyPolicy", "Allow") == "Allow":
            yield f"{label_of(item)}: a slow run and the next one would work at once; say concurrencyPolicy Forbid"
        if "activeDeadlineSeconds" not in spec["jobTemplate"]["spec"]:
            yield f"{label_of(item)}: no activeDeadlineSeconds, so a hanging run hangs for ever"
        if spec["jobTemplate"]["spec"]["template"]["spec"].get("restartPolicy") not in {"Never", "OnFailure"}:
            yield f"{label_of(item)}: restartPolicy must be Never or OnFailure"
