"""Rules about what makes pods: labels, ports, volumes, configuration, security, resources, probes."""

import re
from collections.abc import Iterator
from decimal import Decimal

from cli.manifests.findings import Context, rule
from cli.manifests.rendering import Manifests, Object, Workload, label_of

_SUFFIX = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
}  # fmt: skip
_AMOUNT = re.compile(r"([\d.]+)([a-zA-Z]*)")
# Between the end of the drain and the kill.
_MARGIN_SECONDS = 5
_DRAIN_SECONDS = 25
_REPLICATED = ("Deployment", "StatefulSet", "Rollout")


def amount(text: object) -> Decimal:
    """A Kubernetes quantity as a number."""
    match = _AMOUNT.fullmatch(str(text))
    return Decimal(match[1]) * _SUFFIX[match[2]] if match else Decimal(0)


@rule
def selector_matches_template(manifests: Manifests, _: Context) -> Iterator[str]:
    """A workload that does not select its own pods is refused by the API server."""
    for work in manifests.workloads:
        selector = work.object["spec"].get("selector", {})
        wanted = selector.get("matchLabels", {}) if isinstance(selector, dict) else {}
        if work.kind in {*_REPLICATED, "DaemonSet"} and not (wanted and wanted.items() <= work.labels.items()):
            yield f"{work}: selects {wanted}, its pods are {work.labels}"


@rule
def selectors_do_not_overlap(manifests: Manifests, _: Context) -> Iterator[str]:
    """Two workloads that select each other's pods fight over them."""
    long_lived = [work for work in manifests.workloads if work.kind in _REPLICATED]
    for work in long_lived:
        wanted = work.object["spec"].get("selector", {}).get("matchLabels", {})
        for other in manifests.selected(wanted):
            if other.kind in _REPLICATED and other.object is not work.object:
                yield f"{work}: also selects the pods of {other}"


@rule
def own_labels_in_placement(manifests: Manifests, _: Context) -> Iterator[str]:
    """Anti-affinity or spread by labels that the pods do not carry places nothing (kubernetes.io's own ZooKeeper example has it)."""
    for work in manifests.workloads:
        for where, term in _placement_terms(work.pod):
            wanted = term.get("labelSelector", {}).get("matchLabels", {})
            if not (wanted and wanted.items() <= work.labels.items()):
                yield f"{work}: {where} looks for {wanted}, its pods are {work.labels}"


def _placement_terms(pod: Object) -> Iterator[tuple[str, Object]]:
    anti = pod.get("affinity", {}).get("podAntiAffinity", {})
    for term in anti.get("requiredDuringSchedulingIgnoredDuringExecution", []):
        yield "podAntiAffinity", term
    for weighted in anti.get("preferredDuringSchedulingIgnoredDuringExecution", []):
        yield "podAntiAffinity", weighted["podAffinityTerm"]
    for spread in pod.get("topologySpreadConstraints", []):
        yield "topologySpreadConstraints", spread


@rule
def quorum_over_zones(manifests: Manifests, _: Context) -> Iterator[str]:
    """Three members of a quorum in one zone are lost with it."""
    for item in manifests.of("StatefulSet"):
        if item["spec"].get("replicas", 1) < 3:
            continue
        spread = item["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        if not any(
            one["topologyKey"] == "topology.kubernetes.io/zone" and one["whenUnsatisfiable"] == "DoNotSchedule"
            for one in spread
        ):
            yield f"{label_of(item)}: nothing keeps its replicas in different zones"


@rule
def restricted_security(manifests: Manifests, _: Context) -> Iterator[str]:
    """Pod Security Standard `restricted`, and a read-only root beyond it."""
    for work in manifests.workloads:
        pod = work.pod.get("securityContext", {})
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            if work.pod.get(forbidden):
                yield f"{work}: {forbidden} is not allowed"
        for volume in work.pod.get("volumes", []):
            if "hostPath" in volume and not _reads_node_logs(work):
                yield f"{work}: volume {volume['name']} is a path of the host"
        for container in work.all_containers:
            own = container.get("securityContext", {})
            named = f"{work}: container {container['name']}"
            if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
                yield f"{named} may run as root"
            if own.get("runAsUser", pod.get("runAsUser")) == 0:
                yield f"{named} runs as root"
            if own.get("allowPrivilegeEscalation") is not False:
                yield f"{named} may gain privileges"
            if own.get("privileged"):
                yield f"{named} is privileged"
            if "ALL" not in own.get("capabilities", {}).get("drop", []) or own.get("capabilities", {}).get("add"):
                yield f"{named} keeps capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{named} can write to its root"
            profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
            if profile not in {"RuntimeDefault", "Localhost"}:
                yield f"{named} has no seccomp profile"


def _reads_node_logs(work: Workload) -> bool:
    # A log agent reads the node's log folder; nothing else may touch the host.
    paths = {volume["hostPath"]["path"] for volume in work.pod.get("volumes", []) if "hostPath" in volume}
    return work.kind == "DaemonSet" and paths <= {"/var/log", "/var/lib/docker/containers"}


@rule
def resources_are_said(manifests: Manifests, _: Context) -> Iterator[str]:
    """Without requests nothing can be scheduled or scaled; a request above its limit is refused."""
    for work in manifests.workloads:
        for container in work.all_containers:
            resources = container.get("resources", {})
            for what in ("cpu", "memory"):
                request, limit = resources.get("requests", {}).get(what), resources.get("limits", {}).get(what)
                if request is None or limit is None:
                    yield f"{work}: container {container['name']} has no {what} request or limit"
                elif amount(request) > amount(limit):
                    yield f"{work}: container {container['name']} requests {what} {request}, above its limit {limit}"


@rule
def probes_are_right(manifests: Manifests, _: Context) -> Iterator[str]:
    """A liveness probe that asks stores restarts everything when one store is away; a probe on a closed port restarts for ever."""
    for work in manifests.workloads:
        if work.kind not in _REPLICATED:
            continue
        for container in work.containers:
            named = f"{work}: container {container['name']}"
            open_ports = {
                value for port in container.get("ports", []) for value in (port.get("name"), port["containerPort"])
            }
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe not in container:
                    yield f"{named} has no {probe}"
                    continue
                for how in ("httpGet", "tcpSocket", "grpc"):
                    if how in container[probe] and container[probe][how]["port"] not in open_ports:
                        yield f"{named}: {probe} asks port {container[probe][how]['port']}, which it does not open"
            if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
                yield f"{named}: livenessProbe asks /readyz, so a store that is away restarts it"
            if (
                work.kind == "Deployment"
                and container.get("readinessProbe", {}).get("httpGet", {}).get("path") == "/livez"
            ):
                yield f"{named}: readinessProbe asks /livez, which is always well"


@rule
def time_to_drain(manifests: Manifests, _: Context) -> Iterator[str]:
    """The kill must come after preStop and the drain."""
    for work in manifests.workloads:
        if work.kind not in _REPLICATED or work.object["metadata"].get("labels", {}).get("tier") != "stateless":
            continue
        for container in work.containers:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
            if pause is None:
                yield f"{work}: container {container['name']} has no preStop pause; endpoints lag behind the stop"
                continue
            needed = pause + _DRAIN_SECONDS + _MARGIN_SECONDS
            given = work.pod.get("terminationGracePeriodSeconds", 30)
            if given < needed:
                yield f"{work}: terminationGracePeriodSeconds {given} is less than preStop, drain and margin ({needed})"


@rule
def volumes_fit(manifests: Manifests, _: Context) -> Iterator[str]:
    """A mount without a volume is refused; a volume without a mount is a leftover; a missing config map holds the pod for ever."""
    for work in manifests.workloads:
        claims = {one["metadata"]["name"] for one in work.object["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in work.pod.get("volumes", [])} | claims
        mounted = {mount["name"] for container in work.all_containers for mount in container.get("volumeMounts", [])}
        for name in sorted(mounted - volumes):
            yield f"{work}: mounts {name}, which is no volume of it"
        for name in sorted(volumes - mounted):
            yield f"{work}: volume {name} is mounted nowhere"
        for volume in work.pod.get("volumes", []):
            wanted = volume.get("configMap", {}).get("name")
            if wanted and manifests.find("ConfigMap", wanted) is None:
                yield f"{work}: volume {volume['name']} wants config map {wanted}, which is not there"
    for item in manifests.of("StatefulSet"):
        for claim in item["spec"].get("volumeClaimTemplates", []):
            wanted = claim["spec"].get("storageClassName")
            if wanted and manifests.find("StorageClass", wanted) is None:
                yield f"{label_of(item)}: storage class {wanted} is not there"


@rule
def references_exist(manifests: Manifests, _: Context) -> Iterator[str]:
    """Accounts, priority classes and headless services that pods name."""
    for work in manifests.workloads:
        account = work.pod.get("serviceAccountName")
        if account is None:
            yield f"{work}: runs under the namespace's default account"
        elif manifests.find("ServiceAccount", account) is None:
            yield f"{work}: service account {account} is not there"
        if work.pod.get("automountServiceAccountToken") is not False and account not in _token_users(manifests):
            yield f"{work}: mounts an API token that no role binding gives a use"
        priority = work.pod.get("priorityClassName")
        if priority and manifests.find("PriorityClass", priority) is None:
            yield f"{work}: priority class {priority} is not there"
    for item in manifests.of("StatefulSet"):
        service = manifests.find("Service", item["spec"].get("serviceName", ""))
        if service is None:
            yield f"{label_of(item)}: serviceName {item['spec'].get('serviceName')} is not there, so its pods have no names"
        elif service["spec"].get("clusterIP") != "None":
            yield f"{label_of(item)}: service {service['metadata']['name']} is not headless, so its pods have no names"
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        role = binding["roleRef"]
        if manifests.find(role["kind"], role["name"]) is None:
            yield f"{label_of(binding)}: {role['kind']} {role['name']} is not there"
        for subject in binding.get("subjects", []):
            if subject["kind"] == "ServiceAccount" and manifests.find("ServiceAccount", subject["name"]) is None:
                yield f"{label_of(binding)}: service account {subject['name']} is not there"


def _token_users(manifests: Manifests) -> set[str]:
    bindings = manifests.of("RoleBinding", "ClusterRoleBinding")
    return {subject["name"] for binding in bindings for subject in binding.get("subjects", [])}


@rule
def images_are_pinned(manifests: Manifests, _: Context) -> Iterator[str]:
    """`latest` is another program tomorrow."""
    for work in manifests.workloads:
        for container in work.all_containers:
            image = container["image"]
            name, _separator, tag = image.rpartition("/")[2].partition(":")
            if "@sha256:" not in image and (not tag or tag == "latest") and not image.startswith("airis-mon/"):
                yield f"{work}: image {image} ({name}) has no fixed tag"
            if image.startswith("airis-mon/") and tag == "latest":
                yield f"{work}: image {image} must name a release"
