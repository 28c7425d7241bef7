"""Our own traces: OpenTelemetry SDK, W3C Trace Context on HTTP and on the bus.

The tracer lives in a context variable, not in OpenTelemetry's process-wide provider, because the embedded process runs
several services in one loop and each must report its own `service.name`. Without an endpoint everything here is a no-op.

The write path of traces is never traced: a span about storing spans would be stored, and make a span. Receivers and
writers run inside `untraced()`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from libs.common.settings import ServiceSettings, TelemetrySettings

_NO_TRACER = NoOpTracer()
_tracer: ContextVar[Tracer] = ContextVar("airis_tracer", default=_NO_TRACER)
_W3C = TraceContextTextMapPropagator()


@asynccontextmanager
async def traced(
    settings: TelemetrySettings, service: ServiceSettings, name: str, *, exporter: SpanExporter | None = None
) -> AsyncIterator[None]:
    """Report spans of this context as service `name` until left; then flush, bounded by the export timeout.

    A given `exporter` is used instead of OTLP over HTTP to `<otlp_endpoint>/v1/traces`.
    """
    if exporter is None:
        if not settings.otlp_endpoint:
            yield
            return
        exporter = OTLPSpanExporter(
            endpoint=f"{settings.otlp_endpoint}/v1/traces", timeout=settings.export_timeout_seconds
        )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
        resource=Resource.create(
            {
                "service.name": name,
                "service.namespace": "airis-mon",
                "deployment.environment.name": service.environment,
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter, export_timeout_millis=settings.export_timeout_seconds * 1000)
    )
    token = _tracer.set(provider.get_tracer("airis-mon"))
    try:
        yield
    finally:
        _tracer.reset(token)
        # It exports what is left and joins a thread; the other roles drain in the same loop meanwhile.
        await asyncio.to_thread(provider.shutdown)


@contextmanager
def untraced() -> Iterator[None]:
    """No spans from this context. For the write path of traces."""
    token = _tracer.set(_NO_TRACER)
    try:
        yield
    finally:
        _tracer.reset(token)


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
    parent: Context | None = None,
) -> Iterator[Span]:
    """A current span; an exception marks it failed with its type, never with its text, which may hold user data."""
    with _tracer.get().start_as_current_span(
        name, context=parent, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(Status(StatusCode.ERROR))
            raise


def current_ids() -> tuple[str, str] | None:
    """Trace id and span id of the current span, lower-case hex, or None."""
    context = get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def inject(headers: MutableMapping[str, str]) -> None:
    """Add `traceparent` and `tracestate` of the current span to outgoing HTTP headers."""
    _W3C.inject(headers)


def extract(headers: Mapping[str, str]) -> Context:
    """Parent context from HTTP headers with lower-case names; an empty context when there is none or it is malformed."""
    return _W3C.extract(headers, context=Context())


def inject_bus_headers(headers: Iterable[tuple[str, bytes]] = ()) -> tuple[tuple[str, bytes], ...]:
    """The headers and, when a span is current, its trace context."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return (*headers, *((key, value.encode("ascii")) for key, value in carrier.items()))


def extract_bus_headers(headers: Iterable[tuple[str, bytes]]) -> Context:
    """Parent context from a record's headers."""
    return extract({key.lower(): value.decode("latin-1") for key, value in headers})
