"""The shop's services and their running instances: who they are, what they run, how they feel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

from opentelemetry.sdk.metrics.export import ResourceMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.version import __version__ as sdk_version

from demo.kernel import NANOS, Kernel, Pool
from demo.telemetry import SCHEMA_URL, InstanceTelemetry, Pipeline

MEBIBYTE = 1024 * 1024
ENVIRONMENT = "production"
_ZONES = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class Service:
    """What is deployed. `memory_mib` is what an instance uses at rest; it is killed at `memory_limit_mib`."""

    name: str
    version: str
    replicas: int = 2
    memory_mib: int = 120
    memory_limit_mib: int = 512
    port: int = 8080
    delta_metrics: bool = False


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("storefront", "5.12.3", replicas=3, memory_mib=210),
        Service("catalog", "3.4.1", memory_mib=180),
        Service("search", "2.9.0", memory_mib=240, memory_limit_mib=768),
        Service("cart", "2.8.0", memory_mib=110),
        Service("checkout", "4.1.7", memory_mib=160),
        Service("payment", "1.16.2", memory_mib=130),
        Service("inventory", "2.3.5", memory_mib=140),
        Service("shipping", "1.7.0", memory_mib=105),
        Service("recommendation", "0.23.1", memory_mib=190),
        Service("currency", "1.2.4", memory_mib=70, memory_limit_mib=256, port=9090),
        Service("notification", "1.9.8", memory_mib=95, memory_limit_mib=256, delta_metrics=True),
        Service("fraud-check", "0.8.2", memory_mib=150, port=9090),
    )
}


class Instance:
    """One process of a service. A restart or a new version is a new Instance."""

    def __init__(
        self,
        service: Service,
        version: str,
        pod: str,
        node: str,
        restarts: int,
        random: Random,
        kernel: Kernel,
        telemetry: Callable[[Resource], InstanceTelemetry],
        utilization: Callable[[], float],
    ) -> None:
        self.service = service
        self.version = version
        self.pod = pod
        self.node = node
        self.restarts = restarts
        self.ready = True
        self.leaked_mib = 0.0
        self.served = 0
        self.full_collections = 0
        self.pools: dict[str, Pool] = {}
        self._kernel = kernel
        self._started_ns = kernel.now_ns
        self._utilization = utilization
        self._cpu = _CpuTime(kernel.now_ns)
        self.telemetry = telemetry(_resource(self, UUID(int=random.getrandbits(128), version=4)))
        for name, observe in (
            ("process.memory.usage", self._memory),
            ("process.cpu.utilization", self._cpu_utilization),
            ("process.cpu.time", self._cpu_time),
            ("process.thread.count", lambda: [(12 + 2 * len(self.pools), {})]),
            ("process.uptime", lambda: [((kernel.now_ns - self._started_ns) / NANOS, {})]),
            ("cpython.gc.collections", self._collections),
        ):
            self.telemetry.observe(name, observe)

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def memory_mib(self) -> float:
        # A process breathes with what it serves; the leak comes on top.
        return self.service.memory_mib * (1 + 0.04 * (self.served % 50) / 50) + self.leaked_mib

    @property
    def memory_pressure(self) -> float:
        """How much of the room between rest and limit is gone, 0 to 1."""
        room = self.service.memory_limit_mib - self.service.memory_mib
        return min(1.0, self.leaked_mib / room)

    def pool(self, name: str, size: int) -> Pool:
        """The instance's connection pool of this name, made on first use."""
        if name not in self.pools:
            pool = self.pools[name] = Pool(size)
            labels = {"db.client.connection.pool.name": name}
            used, idle = (labels | {"db.client.connection.state": state} for state in ("used", "idle"))
            for metric, observe in (
                ("db.client.connection.count", lambda: [(pool.used, used), (pool.size - pool.used, idle)]),
                ("db.client.connection.max", lambda: [(pool.size, labels)]),
                ("db.client.connection.pending_requests", lambda: [(pool.waiting, labels)]),
            ):
                self.telemetry.observe(metric, observe)
        return self.pools[name]

    def _memory(self) -> list[tuple[float, Mapping[str, Any]]]:
        return [(int(self.memory_mib * MEBIBYTE), {})]

    def _cpu_utilization(self) -> list[tuple[float, Mapping[str, Any]]]:
        # Collecting garbage in a full heap is work, too.
        return [(min(0.99, 0.04 + 0.9 * self._utilization() + 0.3 * self.memory_pressure**2), {})]

    def _cpu_time(self) -> list[tuple[float, Mapping[str, Any]]]:
        used = self._cpu.advance(self._kernel.now_ns, self._cpu_utilization()[0][0])
        return [(used * 0.8, {"cpu.mode": "user"}), (used * 0.2, {"cpu.mode": "system"})]

    def _collections(self) -> list[tuple[float, Mapping[str, Any]]]:
        by_generation = (self.served * 3, self.served // 4, self.served // 40 + self.full_collections)
        return [(count, {"cpython.gc.generation": generation}) for generation, count in enumerate(by_generation)]


class _CpuTime:
    """CPU seconds used so far."""

    def __init__(self, now_ns: int) -> None:
        self._at_ns = now_ns
        self._used = 0.0

    def advance(self, now_ns: int, utilization: float) -> float:
        self._used += utilization * (now_ns - self._at_ns) / NANOS
        self._at_ns = now_ns
        return self._used


class Fleet:
    """All instances; `on_start` is told of each new one. Raises KeyError for services that are not deployed."""

    def __init__(
        self,
        kernel: Kernel,
        pipeline: Pipeline,
        ids: IdGenerator,
        random: Random,
        utilization: Callable[[], float],
        on_start: Callable[[Instance], None],
    ) -> None:
        self._kernel = kernel
        self._pipeline = pipeline
        self._ids = ids
        self._random = random
        self._utilization = utilization
        self._on_start = on_start
        self._retired: list[ResourceMetrics] = []
        self.versions = {service.name: service.version for service in SERVICES.values()}
        self.instances: dict[str, list[Instance]] = {
            service.name: [self._new(service, service.version, ordinal) for ordinal in range(service.replicas)]
            for service in SERVICES.values()
        }

    def pick(self, service: str, random: Random) -> Instance:
        """An instance to call, as a load balancer would; one that is down when all are."""
        instances = self.instances[service]
        ready = [instance for instance in instances if instance.ready]
        return random.choice(ready or instances)

    def restart(self, instance: Instance) -> Instance:
        """The container starts again: same pod, new process."""
        instances = self.instances[instance.name]
        return self._replace(
            instance, self._new(instance.service, instance.version, instances.index(instance), previous=instance)
        )

    def deploy(self, instance: Instance, version: str) -> Instance:
        """A pod of the new version takes the place of this one."""
        ordinal = self.instances[instance.name].index(instance)
        return self._replace(instance, self._new(instance.service, version, ordinal))

    def collect(self) -> list[ResourceMetrics]:
        """Metrics of all instances and the last of those that are gone."""
        collected, self._retired = self._retired, []
        for instances in self.instances.values():
            for instance in instances:
                collected += instance.telemetry.collect()
        return collected

    def close(self) -> None:
        for instances in self.instances.values():
            for instance in instances:
                instance.telemetry.close()

    def _replace(self, old: Instance, new: Instance) -> Instance:
        self._retired += old.telemetry.collect()
        old.telemetry.close()
        instances = self.instances[old.name]
        instances[instances.index(old)] = new
        return new

    def _new(self, service: Service, version: str, ordinal: int, *, previous: Instance | None = None) -> Instance:
        random = self._random
        replica_set = f"{crc32(f'{service.name}:{version}'.encode()):08x}"
        suffix = "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        instance = Instance(
            service,
            version,
            previous.pod if previous else f"{service.name}-{replica_set}-{suffix}",
            previous.node if previous else f"node-{_ZONES[ordinal % 3]}{1 + crc32(service.name.encode()) % 2}",
            previous.restarts + 1 if previous else 0,
            random,
            self._kernel,
            lambda resource: InstanceTelemetry(
                resource, self._pipeline, self._ids, lambda: self._kernel.now_ns, delta=service.delta_metrics
            ),
            self._utilization,
        )
        self._on_start(instance)
        return instance


def _resource(instance: Instance, instance_id: UUID) -> Resource:
    service = instance.service
    return Resource(
        {
            "service.name": service.name,
            "service.namespace": "shop",
            "service.version": instance.version,
            "service.instance.id": str(instance_id),
            "deployment.environment.name": ENVIRONMENT,
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": sdk_version,
            "process.runtime.name": "cpython",
            "process.runtime.version": "3.13.7",
            "process.pid": 1,
            "host.name": instance.node,
            "host.arch": "amd64",
            "os.type": "linux",
            "cloud.region": "kr-central-1",
            "cloud.availability_zone": f"kr-central-1{instance.node[5]}",
            "container.image.name": f"registry.shop.example/{service.name}",
            "container.image.tags": [instance.version],
            "k8s.cluster.name": "shop-prod",
            "k8s.namespace.name": "shop",
            "k8s.node.name": instance.node,
            "k8s.deployment.name": service.name,
            "k8s.pod.name": instance.pod,
            "k8s.container.name": service.name,
            "k8s.container.restart_count": instance.restarts,
        },
        SCHEMA_URL,
    )
