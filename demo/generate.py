"""Millions of spans for benchmarks: OTLP trace requests made by patching serialized ones, not by an SDK.

A few requests' worth of traces come from the simulated shop, so names, attributes, sizes, errors and tree shapes are those
of the demo. They are serialized once. Every request after that is such a template with other ids, times and session ids
written over it, which is a matter of bytes at known offsets (protobuf encoding, "Message Structure").
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from struct import Struct

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from demo.kernel import NANOS
from demo.simulation import Simulation
from demo.telemetry import Pipeline

_OPENED_NS = 1_700_575_200 * NANOS  # a Tuesday afternoon
_FIXED64 = Struct("<Q")
_TRACE_ID, _SPAN_ID = 16, 8
# Field numbers in opentelemetry/proto/trace/v1/trace.proto: where spans are, and what identifies and dates them.
_RESOURCE_SPANS, _SCOPE_SPANS, _SPANS = 1, 2, 2
_SPAN_IDS, _SPAN_TIMES, _SPAN_EVENTS, _SPAN_LINKS = {1, 2, 4}, {7, 8}, 11, 13
_EVENT_TIME = 1
_LINK_IDS = {1, 2}


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """A serialized ExportTraceServiceRequest of `spans` spans."""

    payload: bytes
    spans: int


def trace_requests(
    spans: int,
    *,
    start_ns: int,
    end_ns: int,
    seed: str = "benchmark",
    spans_per_request: int = 5_000,
    templates: int = 4,
) -> Iterator[TraceRequest]:
    """Requests with exactly `spans` spans in total, their traces spread evenly over the time, in order of time.

    Unix nanoseconds. The same arguments give the same bytes. Traces are whole, but for the last of a request, which is
    cut to length: its earliest spans are there. Raises ValueError when there is nothing to spread.
    """
    if spans < 1 or spans_per_request < 1 or templates < 1 or end_ns <= start_ns:
        raise ValueError("spans, spans_per_request and templates must be positive, and end_ns after start_ns")
    full, rest = divmod(spans, spans_per_request)
    sizes = [spans_per_request] * min(full, templates) + ([rest] if rest else [])
    source = _shop_traces(seed)
    made = [_Template(_take(source, size)) for size in sizes]
    requests = full + bool(rest)
    width = (end_ns - start_ns) // requests
    random = Random(f"{seed}/{spans}/{start_ns}/{end_ns}")
    for number in range(requests):
        template = made[number % templates] if number < full else made[-1]
        yield TraceRequest(template.fill(random, start_ns + number * width, width), template.spans)


class _Template:
    """A serialized request and the offsets of what differs between its copies."""

    def __init__(self, traces: Sequence[Sequence[ReadableSpan]]) -> None:
        self.spans = sum(map(len, traces))
        self._payload = encode_spans([span for trace in traces for span in trace]).SerializeToString()
        order = {_trace_id(trace[0]).to_bytes(_TRACE_ID): number for number, trace in enumerate(traces)}
        begin = [min(span.start_time or 0 for span in trace) for trace in traces]
        self._traces = len(traces)
        self._times: list[tuple[int, int, int]] = []  # offset, trace, nanoseconds since the trace began
        ids: dict[bytes, list[int]] = defaultdict(list)
        for offset, trace, is_time in _fields(self._payload, order):
            if is_time:
                (time_ns,) = _FIXED64.unpack_from(self._payload, offset)
                self._times.append((offset, trace, time_ns - begin[trace]))
            else:
                size = self._payload[offset - 1]
                ids[self._payload[offset : offset + size]].append(offset)
        self._ids = [(len(value), offsets) for value, offsets in ids.items()]
        self._sessions = [self._places(session) for session in _sessions(traces)]

    def fill(self, random: Random, start_ns: int, width_ns: int) -> bytes:
        """A copy with new ids, whose traces begin within the window."""
        payload = bytearray(self._payload)
        position, fresh = 0, random.randbytes(sum(size for size, _ in self._ids))
        for size, offsets in self._ids:
            value = fresh[position : position + size]
            position += size
            for offset in offsets:
                payload[offset : offset + size] = value
        begins = [start_ns + random.randrange(width_ns + 1) for _ in range(self._traces)]
        # Stretched as a whole, a trace keeps its shape and still has a duration of its own.
        stretch = [random.lognormvariate(0.0, 0.25) for _ in range(self._traces)]
        pack = _FIXED64.pack_into
        for offset, trace, since in self._times:
            pack(payload, offset, begins[trace] + int(since * stretch[trace]))
        for offsets in self._sessions:
            session = b"%016x" % random.getrandbits(64)
            for offset in offsets:
                payload[offset : offset + 16] = session
        return bytes(payload)

    def _places(self, text: bytes) -> list[int]:
        places, offset = [], self._payload.find(text)
        while offset >= 0:
            places.append(offset)
            offset = self._payload.find(text, offset + len(text))
        return places


def _fields(payload: bytes, order: dict[bytes, int]) -> Iterator[tuple[int, int, bool]]:
    """(offset, number of its trace, whether it is a time rather than an id) of all ids and times."""
    for _, resource_start, resource_end in _walk(payload, 0, len(payload), {_RESOURCE_SPANS}):
        for _, scope_start, scope_end in _walk(payload, resource_start, resource_end, {_SCOPE_SPANS}):
            for _, start, end in _walk(payload, scope_start, scope_end, {_SPANS}):
                trace = 0
                wanted = _SPAN_IDS | _SPAN_TIMES | {_SPAN_EVENTS, _SPAN_LINKS}
                for field, field_start, field_end in _walk(payload, start, end, wanted):
                    if field == 1:
                        trace = order[payload[field_start:field_end]]
                    if field in _SPAN_IDS | _SPAN_TIMES:
                        yield field_start, trace, field in _SPAN_TIMES
                    elif field == _SPAN_EVENTS:
                        for _, offset, _ in _walk(payload, field_start, field_end, {_EVENT_TIME}):
                            yield offset, trace, True
                    else:
                        for _, offset, _ in _walk(payload, field_start, field_end, _LINK_IDS):
                            yield offset, trace, False


def _walk(payload: bytes, offset: int, end: int, wanted: set[int]) -> Iterator[tuple[int, int, int]]:
    """(field number, start, end) of the wanted fields of the message in payload[offset:end]."""
    while offset < end:
        tag, offset = _varint(payload, offset)
        start, wire_type = offset, tag & 7
        if wire_type == 0:
            _, offset = _varint(payload, offset)
        elif wire_type == 1:
            offset += 8
        elif wire_type == 2:
            length, start = _varint(payload, offset)
            offset = start + length
        else:
            offset += 4
        if tag >> 3 in wanted:
            yield tag >> 3, start, offset


def _varint(payload: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = payload[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7


def _sessions(traces: Sequence[Sequence[ReadableSpan]]) -> list[bytes]:
    """All session ids, 16 hexadecimal digits each."""
    found = {
        str(span.attributes["session.id"]): None
        for trace in traces
        for span in trace
        if span.attributes and "session.id" in span.attributes
    }
    return [session.encode() for session in found]


def _take(source: Iterator[list[ReadableSpan]], spans: int) -> list[list[ReadableSpan]]:
    """Traces with so many spans together; the last one may be cut."""
    taken: list[list[ReadableSpan]] = []
    while spans:
        # Parents before their children, also where both begin at once.
        trace = sorted(next(source), key=lambda span: (span.start_time or 0, -(span.end_time or 0)))[:spans]
        spans -= len(trace)
        taken.append(trace)
    return taken


def _trace_id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None, "an ended span has a context"
    return context.trace_id


def _shop_traces(seed: str) -> Iterator[list[ReadableSpan]]:
    """Whole traces of a shop where some payments fail, in order of their roots' ends."""
    collector = _Collector()
    simulation = Simulation(Pipeline(collector, _NoLogs(), _NoMetrics()), start_ns=_OPENED_NS, rate=20.0, seed=seed)
    simulation.set_faults({"payment-errors"})
    try:
        while True:
            simulation.advance(simulation.now_ns + NANOS)
            yield from collector.finished()
    finally:
        simulation.close()


class _Collector(SpanProcessor):
    """Spans by trace, until the root has ended and the trace is whole."""

    def __init__(self) -> None:
        self._spans: dict[int, list[ReadableSpan]] = defaultdict(list)
        self._whole: list[list[ReadableSpan]] = []

    def on_end(self, span: ReadableSpan) -> None:
        trace_id = _trace_id(span)
        self._spans[trace_id].append(span)
        if span.parent is None:
            self._whole.append(self._spans.pop(trace_id))

    def finished(self) -> list[list[ReadableSpan]]:
        whole, self._whole = self._whole, []
        return whole


class _NoLogs(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Only spans are wanted."""

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        return True


class _NoMetrics(MetricExporter):
    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> MetricExportResult:  # noqa: ARG002
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Nothing is held."""
