"""Mistakes people make in manifests, each as a change to objects that were right."""

import copy
from collections.abc import Callable
from typing import Any

from cli.manifests.rendering import Manifests

Mistake = Callable[[Manifests], None]
MISTAKES: dict[str, Mistake] = {}


def mistake(make: Mistake) -> Mistake:
    """Add to the list under the function's name."""
    MISTAKES[make.__name__.replace("_", " ")] = make
    return make


def _get(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    found = manifests.find(kind, name)
    assert found is not None, f"{kind}/{name} is not part of what mistakes are made in"
    return found


def _pod(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return _get(manifests, kind, name)["spec"]["template"]["spec"]


def _container(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return _pod(manifests, kind, name)["containers"][0]


# Labels and selectors


@mistake
def selector_misses_template(m: Manifests) -> None:
    _get(m, "Deployment", "analytics")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "analytic"


@mistake
def template_label_renamed(m: Manifests) -> None:
    _get(m, "Deployment", "ui")["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] = "web"


@mistake
def service_selects_nothing(m: Manifests) -> None:
    _get(m, "Service", "analytics")["spec"]["selector"] = {"app": "analytics"}


@mistake
def service_selector_empty(m: Manifests) -> None:
    _get(m, "Service", "ui")["spec"]["selector"] = {}


@mistake
def budget_selects_nothing(m: Manifests) -> None:
    _get(m, "PodDisruptionBudget", "clickhouse")["spec"]["selector"]["matchLabels"] = {"app": "clickhouse"}


@mistake
def anti_affinity_by_another_label(m: Manifests) -> None:
    # As in kubernetes.io's own ZooKeeper tutorial.
    rules = _pod(m, "StatefulSet", "zookeeper")["affinity"]["podAntiAffinity"]
    rules["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]["matchLabels"] = {"app": "zk"}


@mistake
def spread_by_another_label(m: Manifests) -> None:
    _pod(m, "StatefulSet", "kafka")["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] = {"app": "kafka"}


@mistake
def quorum_in_one_zone(m: Manifests) -> None:
    _pod(m, "StatefulSet", "clickhouse")["topologySpreadConstraints"][0]["whenUnsatisfiable"] = "ScheduleAnyway"


@mistake
def spread_left_out(m: Manifests) -> None:
    del _pod(m, "StatefulSet", "zookeeper")["topologySpreadConstraints"]


@mistake
def two_deployments_with_one_selector(m: Manifests) -> None:
    labels = {"app.kubernetes.io/name": "ui"}
    spec = _get(m, "Deployment", "analytics")["spec"]
    spec["selector"]["matchLabels"] = dict(labels)
    spec["template"]["metadata"]["labels"].update(labels)


# Ports and probes


@mistake
def target_port_misspelt(m: Manifests) -> None:
    _get(m, "Service", "analytics")["spec"]["ports"][0]["targetPort"] = "htp"


@mistake
def target_port_number_wrong(m: Manifests) -> None:
    _get(m, "Service", "ui")["spec"]["ports"][0]["targetPort"] = 8080


@mistake
def service_port_without_protocol(m: Manifests) -> None:
    _get(m, "Service", "kafka")["spec"]["ports"][0]["name"] = "kafka"


@mistake
def probe_on_a_closed_port(m: Manifests) -> None:
    _container(m, "Deployment", "analytics")["livenessProbe"]["httpGet"]["port"] = 8080


@mistake
def liveness_asks_the_stores(m: Manifests) -> None:
    _container(m, "Deployment", "api-gateway")["livenessProbe"]["httpGet"]["path"] = "/readyz"


@mistake
def readiness_asks_nobody(m: Manifests) -> None:
    _container(m, "Deployment", "analytics")["readinessProbe"]["httpGet"]["path"] = "/livez"


@mistake
def no_readiness_probe(m: Manifests) -> None:
    del _container(m, "Deployment", "ingestion")["readinessProbe"]


@mistake
def no_startup_probe(m: Manifests) -> None:
    del _container(m, "StatefulSet", "clickhouse")["startupProbe"]


@mistake
def stateful_set_without_headless_service(m: Manifests) -> None:
    _get(m, "StatefulSet", "clickhouse")["spec"]["serviceName"] = "clickhouse"


@mistake
def service_name_misspelt(m: Manifests) -> None:
    _get(m, "StatefulSet", "zookeeper")["spec"]["serviceName"] = "zookeeper-headles"


# Budgets, scalers, schedules


@mistake
def budget_blocks_every_drain(m: Manifests) -> None:
    _get(m, "PodDisruptionBudget", "clickhouse")["spec"]["minAvailable"] = 3


@mistake
def budget_of_none(m: Manifests) -> None:
    _get(m, "PodDisruptionBudget", "ui")["spec"]["maxUnavailable"] = 0


@mistake
def budget_breaks_the_quorum(m: Manifests) -> None:
    _get(m, "PodDisruptionBudget", "kafka")["spec"]["maxUnavailable"] = 2


@mistake
def budget_forgotten(m: Manifests) -> None:
    m.objects.remove(_get(m, "PodDisruptionBudget", "api-gateway"))


@mistake
def autoscaler_of_a_missing_deployment(m: Manifests) -> None:
    _get(m, "HorizontalPodAutoscaler", "api-gateway")["spec"]["scaleTargetRef"]["name"] = "gateway"


@mistake
def autoscaler_bounds_swapped(m: Manifests) -> None:
    _get(m, "HorizontalPodAutoscaler", "ui")["spec"].update(minReplicas=8, maxReplicas=2)


@mistake
def autoscaler_without_request(m: Manifests) -> None:
    del _container(m, "Deployment", "ui")["resources"]["requests"]["cpu"]


@mistake
def two_scalers_of_one_deployment(m: Manifests) -> None:
    one = _get(m, "HorizontalPodAutoscaler", "ui")
    m.objects.append({**one, "metadata": {**one["metadata"], "name": "ui-again"}})


@mistake
def vertical_under_horizontal(m: Manifests) -> None:
    _vertical(m, "Deployment", "api-gateway", "Recreate")


@mistake
def vertical_restarts_the_store(m: Manifests) -> None:
    _vertical(m, "StatefulSet", "clickhouse", "Recreate")


@mistake
def vertical_mode_deprecated(m: Manifests) -> None:
    _vertical(m, "Deployment", "analytics", "Auto")


def _vertical(m: Manifests, kind: str, name: str, mode: str) -> None:
    m.objects.append(
        {
            "apiVersion": "autoscaling.k8s.io/v1",
            "kind": "VerticalPodAutoscaler",
            "metadata": {"name": f"{name}-planted", "namespace": "airis-mon"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
                "updatePolicy": {"updateMode": mode},
            },
        }
    )


def _lag_scaler(m: Manifests, **changes: Any) -> None:
    metadata = {
        "bootstrapServers": "kafka:9092",
        "consumerGroup": "ingestion-writer",
        "topic": "telemetry.traces",
        "lagThreshold": "100",
    }
    metadata.update(changes.pop("metadata", {}))
    spec = {
        "scaleTargetRef": {"name": "ingestion-writer"},
        "maxReplicaCount": 12,
        "triggers": [{"type": "kafka", "metadata": metadata}],
    }
    spec.update(changes)
    m.objects.append(
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": spec,
        }
    )


@mistake
def more_consumers_than_partitions(m: Manifests) -> None:
    _lag_scaler(m, maxReplicaCount=100)


@mistake
def lag_of_an_unknown_topic(m: Manifests) -> None:
    _lag_scaler(m, metadata={"topic": "telemetry.trace"})


@mistake
def lag_threshold_as_a_number(m: Manifests) -> None:
    _lag_scaler(m, metadata={"lagThreshold": 100})


@mistake
def lag_scaler_of_nothing(m: Manifests) -> None:
    _lag_scaler(m, scaleTargetRef={"name": "writer"})


# Fields and values


@mistake
def field_misspelt(m: Manifests) -> None:
    container = _container(m, "Deployment", "analytics")
    container["resouces"] = container.pop("resources")


@mistake
def field_in_the_wrong_place(m: Manifests) -> None:
    _get(m, "Deployment", "ui")["spec"]["serviceAccountName"] = "ui"


@mistake
def quantity_misspelt(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["resources"]["limits"]["memory"] = "512MB"


@mistake
def number_as_text(m: Manifests) -> None:
    _get(m, "Deployment", "ui")["spec"]["replicas"] = "2"


@mistake
def environment_value_as_a_number(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["env"].append({"name": "AIRIS_UI_PORT", "value": 3001})


@mistake
def old_api_version(m: Manifests) -> None:
    _get(m, "PodDisruptionBudget", "ui")["apiVersion"] = "policy/v1beta1"


@mistake
def unknown_kind(m: Manifests) -> None:
    _get(m, "Service", "ui")["kind"] = "Servce"


@mistake
def name_with_capitals(m: Manifests) -> None:
    _get(m, "Service", "redis")["metadata"]["name"] = "Redis"


@mistake
def request_above_limit(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["resources"]["requests"]["memory"] = "4Gi"


@mistake
def no_limits(m: Manifests) -> None:
    del _container(m, "Deployment", "ingestion")["resources"]["limits"]


@mistake
def grace_shorter_than_the_drain(m: Manifests) -> None:
    _pod(m, "Deployment", "ingestion")["terminationGracePeriodSeconds"] = 20


@mistake
def no_pause_before_the_stop(m: Manifests) -> None:
    del _container(m, "Deployment", "api-gateway")["lifecycle"]


# Security


@mistake
def may_run_as_root(m: Manifests) -> None:
    del _pod(m, "Deployment", "analytics")["securityContext"]["runAsNonRoot"]


@mistake
def runs_as_root(m: Manifests) -> None:
    _pod(m, "Deployment", "analytics")["securityContext"]["runAsUser"] = 0


@mistake
def privileged(m: Manifests) -> None:
    _container(m, "StatefulSet", "kafka")["securityContext"]["privileged"] = True


@mistake
def capabilities_kept(m: Manifests) -> None:
    del _container(m, "Deployment", "ui")["securityContext"]["capabilities"]


@mistake
def capability_added(m: Manifests) -> None:
    _container(m, "StatefulSet", "clickhouse")["securityContext"]["capabilities"]["add"] = ["SYS_NICE"]


@mistake
def writable_root(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["securityContext"]["readOnlyRootFilesystem"] = False


@mistake
def no_seccomp_profile(m: Manifests) -> None:
    del _pod(m, "Deployment", "ui")["securityContext"]["seccompProfile"]


@mistake
def host_network(m: Manifests) -> None:
    _pod(m, "Deployment", "ingestion")["hostNetwork"] = True


@mistake
def path_of_the_host(m: Manifests) -> None:
    _pod(m, "Deployment", "ui")["volumes"][0] = {"name": "tmp", "hostPath": {"path": "/"}}


@mistake
def api_token_for_nothing(m: Manifests) -> None:
    _pod(m, "Deployment", "ui")["automountServiceAccountToken"] = True


@mistake
def image_without_tag(m: Manifests) -> None:
    _container(m, "StatefulSet", "redis")["image"] = "redis"


@mistake
def image_latest(m: Manifests) -> None:
    _container(m, "StatefulSet", "zookeeper")["image"] = "zookeeper:latest"


# References and configuration


@mistake
def service_account_missing(m: Manifests) -> None:
    _pod(m, "Deployment", "analytics")["serviceAccountName"] = "analytic"


@mistake
def no_service_account(m: Manifests) -> None:
    del _pod(m, "Deployment", "analytics")["serviceAccountName"]


@mistake
def priority_class_missing(m: Manifests) -> None:
    _pod(m, "StatefulSet", "kafka")["priorityClassName"] = "high"


@mistake
def storage_class_missing(m: Manifests) -> None:
    _get(m, "StatefulSet", "kafka")["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = "gp3"


@mistake
def config_map_missing(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["envFrom"][0]["configMapRef"]["name"] = "airis-comon"


@mistake
def secret_key_misspelt(m: Manifests) -> None:
    _container(m, "StatefulSet", "redis")["env"][0]["valueFrom"]["secretKeyRef"]["key"] = "pasword"


@mistake
def secret_missing(m: Manifests) -> None:
    _container(m, "StatefulSet", "redis")["env"][0]["valueFrom"]["secretKeyRef"]["name"] = "redis-secret"


@mistake
def secret_written_down(m: Manifests) -> None:
    _container(m, "StatefulSet", "redis")["env"][0] = {"name": "REDIS_PASSWORD", "value": "correct horse"}


@mistake
def secret_with_values(m: Manifests) -> None:
    m.objects.append(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "stringData": {"password": "correct horse"},
        }
    )


@mistake
def variable_misspelt(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["env"].append({"name": "AIRIS_UI_HOTS", "value": "0.0.0.0"})


@mistake
def mount_without_volume(m: Manifests) -> None:
    _container(m, "Deployment", "ui")["volumeMounts"].append({"name": "cache", "mountPath": "/cache"})


@mistake
def volume_without_mount(m: Manifests) -> None:
    _pod(m, "Deployment", "ui")["volumes"].append({"name": "cache", "emptyDir": {}})


@mistake
def config_volume_missing(m: Manifests) -> None:
    _pod(m, "StatefulSet", "redis")["volumes"][0]["configMap"]["name"] = "redis-conf"


@mistake
def service_not_deployed(m: Manifests) -> None:
    m.objects.remove(_get(m, "Deployment", "ui"))


@mistake
def no_namespace(m: Manifests) -> None:
    del _get(m, "Service", "ui")["metadata"]["namespace"]


@mistake
def another_namespace(m: Manifests) -> None:
    _get(m, "Service", "ui")["metadata"]["namespace"] = "default"


# Network


@mistake
def default_deny_forgotten(m: Manifests) -> None:
    m.objects.remove(_get(m, "NetworkPolicy", "default-deny"))


@mistake
def flow_forgotten(m: Manifests) -> None:
    _get(m, "NetworkPolicy", "clickhouse")["spec"]["ingress"].pop(0)


@mistake
def way_out_forgotten(m: Manifests) -> None:
    _get(m, "NetworkPolicy", "ingestion-writer")["spec"]["egress"].pop(0)


@mistake
def open_to_everybody(m: Manifests) -> None:
    _get(m, "NetworkPolicy", "redis")["spec"]["ingress"].append({"ports": [{"port": "tcp-redis"}]})


@mistake
def one_flow_too_many(m: Manifests) -> None:
    peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "ui"}}}
    _get(m, "NetworkPolicy", "clickhouse")["spec"]["ingress"].append({"from": [peer], "ports": [{"port": "http"}]})


@mistake
def policy_port_misspelt(m: Manifests) -> None:
    _get(m, "NetworkPolicy", "redis")["spec"]["ingress"][0]["ports"] = [{"port": "redis"}]


@mistake
def policy_selects_nothing(m: Manifests) -> None:
    _get(m, "NetworkPolicy", "analytics")["spec"]["podSelector"]["matchLabels"] = {"app": "analytics"}


# Mesh


def _route(m: Manifests, **changes: Any) -> None:
    places = changes.get("places", [{"destination": {"host": "api-gateway-service", "port": {"number": 3000}}}])
    m.objects.append(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": {"hosts": ["api-gateway-service"], "http": [{"route": places}]},
        }
    )


@mistake
def weights_not_a_hundred(m: Manifests) -> None:
    place = {"destination": {"host": "api-gateway-service"}}
    _route(m, places=[{**place, "weight": 90}, {**place, "weight": 20}])


@mistake
def route_to_a_missing_host(m: Manifests) -> None:
    _route(m, places=[{"destination": {"host": "api-gatway-service"}}])


@mistake
def route_to_a_missing_subset(m: Manifests) -> None:
    _route(m, places=[{"destination": {"host": "api-gateway-service", "subset": "nowhere"}}])


@mistake
def route_to_a_missing_port(m: Manifests) -> None:
    _route(m, places=[{"destination": {"host": "api-gateway-service", "port": {"number": 80}}}])


def _destination(m: Manifests, spec: dict[str, Any]) -> None:
    m.objects.append(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": {"host": "analytics", **spec},
        }
    )


@mistake
def circuit_breaker_block(m: Manifests) -> None:
    # Asked for by that name in many a guide; no version of the API has it.
    _destination(m, {"trafficPolicy": {"circuitBreaker": {"consecutiveErrors": 3}}})


@mistake
def subset_without_pods(m: Manifests) -> None:
    _destination(m, {"subsets": [{"name": "canary", "labels": {"version": "canry"}}]})


@mistake
def caller_misspelt(m: Manifests) -> None:
    principal = "cluster.local/ns/airis-mon/sa/api-gatway"
    m.objects.append(
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": "analytics"}},
                "rules": [{"from": [{"source": {"principals": [principal]}}]}],
            },
        }
    )


# Operations


def _monitor(m: Manifests, labels: dict[str, str], port: str) -> None:
    m.objects.append(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "ServiceMonitor",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": {"selector": {"matchLabels": labels}, "endpoints": [{"port": port}]},
        }
    )


@mistake
def monitor_selects_nothing(m: Manifests) -> None:
    _monitor(m, {"app": "analytics"}, "http")


@mistake
def monitor_of_a_missing_port(m: Manifests) -> None:
    _monitor(m, {"app.kubernetes.io/name": "analytics"}, "metrics")


@mistake
def backups_that_overlap(m: Manifests) -> None:
    pod = copy.deepcopy(_pod(m, "Deployment", "ui")) | {"restartPolicy": "Never"}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
        del pod["containers"][0][probe]
    m.objects.append(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "planted", "namespace": "airis-mon"},
            "spec": {
                "schedule": "0 2 * * *",
                "jobTemplate": {"spec": {"activeDeadlineSeconds": 3600, "template": {"spec": pod}}},
            },
        }
    )
