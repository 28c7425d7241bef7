"""Rules about who reaches whom: services, network policies against the table of flows, mesh routes, scrapes."""

from collections.abc import Iterator
from itertools import product

from cli.manifests.findings import Context, rule
from cli.manifests.rendering import Manifests, Object, Workload, label_of

APP = "app.kubernetes.io/name"
# Istio tells the protocol of a port by the first word of its name.
_PROTOCOLS = {"http", "http2", "https", "grpc", "tcp", "tls", "udp", "redis"}


@rule
def services_have_pods(manifests: Manifests, _: Context) -> Iterator[str]:
    """A service without endpoints answers nothing."""
    for item in manifests.of("Service"):
        if item["spec"].get("type") == "ExternalName":
            continue
        chosen = manifests.selected(item["spec"].get("selector", {}))
        if not chosen:
            yield f"{label_of(item)}: selects no pods"
        for port, work in product(item["spec"].get("ports", []), chosen):
            target = port.get("targetPort", port["port"])
            if work.port_number(target) is None:
                yield f"{label_of(item)}: port {port['port']} goes to {target}, which {work} does not open"


@rule
def ports_say_their_protocol(manifests: Manifests, _: Context) -> Iterator[str]:
    """The mesh reads it from the name; without one Kafka is taken for HTTP."""
    for item in manifests.of("Service"):
        for port in item["spec"].get("ports", []):
            name = port.get("name", "")
            if name.split("-", 1)[0] not in _PROTOCOLS and "appProtocol" not in port:
                yield f"{label_of(item)}: port {port['port']} is called {name!r}, which names no protocol"


@rule
def default_deny(manifests: Manifests, _: Context) -> Iterator[str]:
    """What no policy selects is open."""
    deny = [
        item
        for item in manifests.of("NetworkPolicy")
        if not item["spec"].get("podSelector") and not item["spec"].get("ingress") and not item["spec"].get("egress")
    ]
    if not any({"Ingress", "Egress"} <= set(item["spec"].get("policyTypes", [])) for item in deny):
        yield "NetworkPolicy: none denies everything in both directions by default"


@rule
def flows_are_allowed(manifests: Manifests, context: Context) -> Iterator[str]:
    """Every flow of k8s/flows.yaml at both its ends, and no other."""
    works = {work.name: work for work in manifests.workloads}
    wanted = set()
    for flow in context.flows["flows"]:
        if flow["to"] not in works or flow["from"] not in {*works, "outside"}:
            continue  # of a component that is not part of this overlay
        for port in flow["ports"]:
            number = works[flow["to"]].port_number(port)
            if number is None:
                yield f"flows.yaml: {flow['to']} opens no port {port}"
            else:
                wanted.add((flow["from"], flow["to"], number))
    inward = set(_allowed(manifests, works, "Ingress"))
    outward = set(_allowed(manifests, works, "Egress"))
    for source, target, port in sorted(wanted):
        if (source, target, port) not in inward:
            yield f"{target}: no policy lets {source} in at {port}"
        if source != "outside" and (source, target, port) not in outward:
            yield f"{source}: no policy lets it out to {target}:{port}"
    scraped = set(context.flows.get("scrape", []))
    for source, target, port in sorted((inward | outward) - wanted):
        if source == "monitoring" and target in scraped:
            continue
        yield f"{source} may reach {target}:{port}, which is no flow of flows.yaml"


def _allowed(manifests: Manifests, works: dict[str, Workload], direction: str) -> Iterator[tuple[str, str, int]]:
    """(from, to, port) that some policy of this direction lets through inside the namespace, or from beyond it."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        if direction not in spec.get("policyTypes", ["Ingress"]):
            continue
        here = [work for work in works.values() if _fits(spec.get("podSelector", {}), work)]
        for allowed in spec.get(direction.lower()) or []:
            peers = allowed.get("from" if direction == "Ingress" else "to")
            for work, peer in product(here, _peers(peers, works)):
                source, target = (peer, work.name) if direction == "Ingress" else (work.name, peer)
                if target not in works:
                    continue  # DNS, the API server, a bucket: said by name in the policy
                yield from ((source, target, number) for number in _numbers(allowed.get("ports"), works[target]))


def _peers(peers: list[Object] | None, works: dict[str, Workload]) -> Iterator[str]:
    if peers is None:
        yield from (*works, "outside")
        return
    for peer in peers:
        if "ipBlock" in peer:
            yield "outside"
        elif "namespaceSelector" in peer:
            labels = peer["namespaceSelector"].get("matchLabels", {})
            yield "monitoring" if labels.get("airis-mon.io/role") == "monitoring" else "outside"
        else:
            yield from (work.name for work in works.values() if _fits(peer.get("podSelector", {}), work))


def _fits(selector: Object, work: Workload) -> bool:
    labels = selector.get("matchLabels", {})
    if not labels.items() <= work.labels.items():
        return False
    for expression in selector.get("matchExpressions", []):
        value = work.labels.get(expression["key"])
        if expression["operator"] == "In" and value not in expression["values"]:
            return False
        if expression["operator"] == "NotIn" and value in expression["values"]:
            return False
        if expression["operator"] == "Exists" and value is None:
            return False
    return True


def _numbers(ports: list[Object] | None, work: Workload) -> Iterator[int]:
    if ports is None:
        yield from (port["containerPort"] for port in work.ports)
        return
    for port in ports:
        number = work.port_number(port["port"])
        if number is not None:
            yield number


@rule
def policies_name_open_ports(manifests: Manifests, _: Context) -> Iterator[str]:
    """A policy on a misspelt port allows nothing."""
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        here = [work for work in manifests.workloads if _fits(spec.get("podSelector", {}), work)]
        if spec.get("podSelector") and not here:
            yield f"{label_of(policy)}: selects no pods"
        for allowed in spec.get("ingress") or []:
            for port, work in product(allowed.get("ports") or [], here):
                if work.port_number(port.get("port")) is None:
                    yield f"{label_of(policy)}: lets in at {port.get('port')}, which {work} does not open"


@rule
def mesh_routes_lead_somewhere(manifests: Manifests, _: Context) -> Iterator[str]:
    """A route to a missing host or subset answers 503; weights that are not 100 are refused."""
    subsets = {
        (_short(item["spec"]["host"]), subset["name"]): subset
        for item in manifests.of("DestinationRule")
        for subset in item["spec"].get("subsets", [])
    }
    for item in manifests.of("VirtualService"):
        for route in [*item["spec"].get("http", []), *item["spec"].get("tcp", [])]:
            places = route.get("route", [])
            weights = [place["weight"] for place in places if "weight" in place]
            if weights and sum(weights) != 100:
                yield f"{label_of(item)}: weights {weights} are not 100 in all"
            for place in [*places, *([route["mirror"]] if "mirror" in route else [])]:
                destination = place.get("destination", place)
                host, subset = _short(destination["host"]), destination.get("subset")
                service = manifests.find("Service", host)
                if service is None:
                    yield f"{label_of(item)}: goes to {host}, which is no service"
                elif destination.get("port", {}).get("number") not in {
                    None,
                    *(port["port"] for port in service["spec"]["ports"]),
                }:
                    yield f"{label_of(item)}: goes to port {destination['port']['number']}, which {host} does not have"
                if subset and (host, subset) not in subsets:
                    yield f"{label_of(item)}: goes to subset {subset} of {host}, which no DestinationRule makes"
        for gateway in item["spec"].get("gateways", []):
            if gateway != "mesh" and manifests.find("Gateway", gateway.rpartition("/")[2]) is None:
                yield f"{label_of(item)}: gateway {gateway} is not there"
    for item in manifests.of("DestinationRule"):
        host = _short(item["spec"]["host"])
        service = manifests.find("Service", host)
        if service is None and not host.startswith("*"):
            yield f"{label_of(item)}: host {host} is no service"
            continue
        for subset in item["spec"].get("subsets", []):
            wanted = {**(service or {}).get("spec", {}).get("selector", {}), **subset.get("labels", {})}
            if service is not None and not manifests.selected(wanted):
                yield f"{label_of(item)}: subset {subset['name']} selects no pods"


def _short(host: str) -> str:
    return host.removesuffix(".svc.cluster.local").split(".")[0]


@rule
def mesh_policies_name_accounts(manifests: Manifests, _: Context) -> Iterator[str]:
    """A caller is known by its service account; a misspelt one is refused for ever."""
    for item in manifests.of("AuthorizationPolicy"):
        wanted = item["spec"].get("selector", {}).get("matchLabels", {})
        if wanted and not manifests.selected(wanted):
            yield f"{label_of(item)}: selects no pods"
        for entry in item["spec"].get("rules", []):
            for source in entry.get("from", []):
                for principal in source.get("source", {}).get("principals", []):
                    _, _, account = principal.rpartition("/sa/")
                    inside = "/ns/airis-mon/" in principal
                    if inside and manifests.find("ServiceAccount", account) is None:
                        yield f"{label_of(item)}: service account {account} is not there"


@rule
def scrapes_find_ports(manifests: Manifests, _: Context) -> Iterator[str]:
    """A monitor that finds nothing is a dashboard that shows nothing."""
    for item in manifests.of("ServiceMonitor"):
        wanted = item["spec"].get("selector", {}).get("matchLabels", {})
        chosen = [
            service
            for service in manifests.of("Service")
            if wanted.items() <= service["metadata"].get("labels", {}).items()
        ]
        if not chosen:
            yield f"{label_of(item)}: selects no service"
        for endpoint, service in product(item["spec"].get("endpoints", []), chosen):
            names = {port.get("name") for port in service["spec"].get("ports", [])}
            if endpoint.get("port") not in names:
                yield f"{label_of(item)}: service {service['metadata']['name']} has no port {endpoint.get('port')}"
    for item in manifests.of("PodMonitor"):
        works = manifests.selected(item["spec"].get("selector", {}).get("matchLabels", {}))
        if not works:
            yield f"{label_of(item)}: selects no pods"
        for endpoint, work in product(item["spec"].get("podMetricsEndpoints", []), works):
            if work.port_number(endpoint.get("port", "")) is None:
                yield f"{label_of(item)}: {work} opens no port {endpoint.get('port')}"
