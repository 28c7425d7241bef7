"""One simulated service instance's OpenTelemetry SDK: its tracer, logger and meter providers.

Spans and log records take explicit times. The metrics SDK does not: it reads the machine's clock. So exemplars get
their time from a reservoir of ours, and points are stamped with the simulation's time when collected.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import (
    AlignedHistogramBucketExemplarReservoir,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    SimpleFixedSizeExemplarReservoir,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    Metric,
    MetricExporter,
    ResourceMetrics,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Tracer
from opentelemetry.util.types import Attributes

from demo.instruments import MEASURED, OBSERVED, Instrument, Kind

SCHEMA_URL = Schemas.V1_44_0.value
_DELTA: dict[type, AggregationTemporality] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    ObservableCounter: AggregationTemporality.DELTA,
}
_EXEMPLARS_PER_POINT = 4

Observe = Callable[[], Iterable[tuple[float, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Where all instances' telemetry goes: one processor per signal, shared."""

    spans: SpanProcessor
    logs: LogRecordProcessor
    metrics: MetricExporter


class SeededIds(IdGenerator):
    """Trace and span ids from a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        return True


class _BucketExemplars(AlignedHistogramBucketExemplarReservoir):
    """The latest measurement of each bucket, at simulated time."""

    def __init__(self, now: Callable[[], int], boundaries: Sequence[float], **_: Any) -> None:
        super().__init__(boundaries)
        self._now = now

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:  # noqa: ARG002
        super().offer(value, self._now(), attributes, context)


class _LatestExemplars(SimpleFixedSizeExemplarReservoir):
    """The latest few measurements, at simulated time. The SDK's own picks at random, which no seed reaches."""

    def __init__(self, now: Callable[[], int], **_: Any) -> None:
        super().__init__(_EXEMPLARS_PER_POINT)
        self._now = now
        self._seen = 0

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:  # noqa: ARG002
        super().offer(value, self._now(), attributes, context)

    def _find_bucket_index(self, *_: object) -> int:
        self._seen += 1
        return self._seen % _EXEMPLARS_PER_POINT


class InstanceTelemetry:
    """The providers of one instance. `now` is simulated time; `delta` asks for delta temporality, as some SDKs are set up."""

    def __init__(
        self, resource: Resource, pipeline: Pipeline, ids: IdGenerator, now: Callable[[], int], *, delta: bool = False
    ) -> None:
        self.resource = resource
        self._now = now
        self._started_ns = self._collected_ns = now()
        self._tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=ids, shutdown_on_exit=False)
        self._tracers.add_span_processor(pipeline.spans)
        self._loggers = LoggerProvider(resource, shutdown_on_exit=False)
        self._loggers.add_log_record_processor(pipeline.logs)
        self._reader = InMemoryMetricReader(preferred_temporality=_DELTA if delta else None)
        self._meters = MeterProvider(
            [self._reader], resource, shutdown_on_exit=False, views=[_view(each, now) for each in MEASURED.values()]
        )
        self._meter = self._meters.get_meter("shop.metrics", "1.0.0", SCHEMA_URL)
        self._scoped: dict[str, Tracer] = {}
        self._instruments: dict[str, Any] = {}
        self.logger = self._loggers.get_logger(str(resource.attributes["service.name"]), schema_url=SCHEMA_URL)

    def tracer(self, scope: str) -> Tracer:
        """The tracer of an instrumentation scope."""
        if (tracer := self._scoped.get(scope)) is None:
            tracer = self._scoped[scope] = self._tracers.get_tracer(scope, "1.0.0", SCHEMA_URL)
        return tracer

    def record(self, name: str, value: float, attributes: Mapping[str, Any], context: Context | None = None) -> None:
        """Measure with the instrument declared as `name`. With a context the measurement may become an exemplar."""
        if (measure := self._instruments.get(name)) is None:
            measure = self._instruments[name] = self._create(MEASURED[name])
        measure(value, attributes, context)

    def observe(self, name: str, callback: Observe) -> None:
        """Let `callback` give (value, attributes) pairs of the instrument declared as `name` on each collection."""
        instrument = OBSERVED[name]

        def observations(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, attributes) for value, attributes in callback()]

        create = {
            Kind.COUNTER: self._meter.create_observable_counter,
            Kind.UP_DOWN_COUNTER: self._meter.create_observable_up_down_counter,
            Kind.GAUGE: self._meter.create_observable_gauge,
        }[instrument.kind]
        create(name, [observations], instrument.unit, instrument.description)

    def collect(self) -> list[ResourceMetrics]:
        """Points of everything measured, stamped with simulated time."""
        data = self._reader.get_metrics_data()
        previous, self._collected_ns = self._collected_ns, self._now()
        if data is None:
            return []
        return [
            replace(
                resource,
                scope_metrics=[
                    replace(scope, metrics=[self._stamped(metric, previous) for metric in scope.metrics])
                    for scope in resource.scope_metrics
                ],
            )
            for resource in data.resource_metrics
        ]

    def close(self) -> None:
        """Release the meter. The pipeline is shared and stays open."""
        self._meters.shutdown()

    def _stamped(self, metric: Metric, previous_ns: int) -> Metric:
        delta = getattr(metric.data, "aggregation_temporality", None) is AggregationTemporality.DELTA
        start = previous_ns if delta else self._started_ns
        points = [
            replace(point, start_time_unix_nano=start, time_unix_nano=self._collected_ns)
            for point in metric.data.data_points
        ]
        return replace(metric, data=replace(metric.data, data_points=points))  # type: ignore[arg-type]

    def _create(self, instrument: Instrument) -> Callable[[float, Mapping[str, Any], Context | None], None]:
        common = {"unit": instrument.unit, "description": instrument.description}
        match instrument.kind:
            case Kind.COUNTER:
                return self._meter.create_counter(instrument.name, **common).add
            case Kind.UP_DOWN_COUNTER:
                return self._meter.create_up_down_counter(instrument.name, **common).add
            case Kind.GAUGE:
                return self._meter.create_gauge(instrument.name, **common).set
            case Kind.HISTOGRAM | Kind.EXPONENTIAL_HISTOGRAM:
                return self._meter.create_histogram(
                    instrument.name,
                    **common,
                    explicit_bucket_boundaries_advisory=instrument.boundaries or None,
                ).record


def _view(instrument: Instrument, now: Callable[[], int]) -> View:
    reservoir = partial(_BucketExemplars if instrument.kind is Kind.HISTOGRAM else _LatestExemplars, now)
    return View(
        instrument_name=instrument.name,
        attribute_keys=set(instrument.keys) if instrument.keys is not None else None,
        aggregation=ExponentialBucketHistogramAggregation() if instrument.kind is Kind.EXPONENTIAL_HISTOGRAM else None,
        exemplar_reservoir_factory=lambda _: reservoir,
    )
