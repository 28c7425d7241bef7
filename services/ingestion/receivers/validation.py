"""Is it OTLP, and which of its records can be kept?

One upb parse proves that the bytes are well formed; a lean pass over ids, times and attribute counts finds what no store
could file. What leaves is as upb writes it, without unknown fields, because the store's reader and upb read other valid
spellings differently (ADR 0019): ordinary requests are that already and leave as the bytes they came in. A request with a
record to refuse is written anew, without it, and answered with a partial success (OTLP 1.x, "Partial Success").
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from libs.common.errors import PayloadTooLarge
from services.ingestion import wire
from services.ingestion.errors import MalformedTelemetry
from services.ingestion.otlp import LOGS_SERVICE, METRICS_SERVICE, TRACE_SERVICE, ExportService
from services.ingestion.receivers.repetition import repeated_bytes, take_out_largest
from services.ingestion.receivers.unknown import (
    has_unknown_records,
    legacy_records,
    refuse_anothers,
    unknown_members,
)

_NO_TRACE_ID = bytes(16)
_NO_SPAN_ID = bytes(8)
_NO_RECORDED_VALUE = 1  # DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
# What a pass returns instead of a count when some record needs the closer look of `_examine`.
_SUSPECT = -1

# Reasons a record is refused; metric labels, so permanent and few. Each says what to do.
REASONS = {
    "invalid_trace_id": "trace_id must be 16 bytes, not all zero (32 hex digits in JSON; left-pad 64-bit ids with zeros)",
    "invalid_span_id": "span_id must be 8 bytes, not all zero (16 hex digits in JSON)",
    "too_many_attributes": (
        "more than {max_attributes} attributes on a record, its scope or its resource; set OTEL_ATTRIBUTE_COUNT_LIMIT"
    ),
    "missing_value": (
        "a data point needs as_int or as_double, or the flag for no recorded value; in JSON null is no value, and what is not "
        'finite is written "NaN", "Infinity" or "-Infinity"'
    ),
    "missing_data": "a metric needs one of gauge, sum, histogram, exponential_histogram and summary",
    "unreadable": "cannot be read; the first one: {fault}",
    "legacy_scope": "instrumentation libraries left OTLP in 2022; send scopes, with an SDK or collector of the last years",
    "too_much_repetition": (
        "the resource and scope that each record repeats are too large for so many; shorten long attributes of the resource, "
        "such as process.command_args, or send fewer records at once"
    ),
    "too_large": "a record, its scope and its resource must fit {max_message_bytes} bytes",
}


class Limits(NamedTuple):
    """What one message for the bus may hold. Times are accepted outside of the window too, and remarked upon."""

    max_message_bytes: int = 4 * 1024**2
    max_records: int = 200_000
    max_attributes: int = 10_000
    # In the store each record has its own copy of resource and scope. What a message's rows come to is held to so many times
    # its own size, because the bus, the writer and its batches know only that.
    max_repetition: int = 32
    max_row_bytes: int = 2 * 1024**3
    past_ns: int = 30 * 86_400 * 10**9
    future_ns: int = 86_400 * 10**9


@dataclass(slots=True)
class Verdict:
    """What becomes of a request: `payloads` go to the bus, each with the number of records in it.

    `rejected` counts refused records by reason; `odd_times` kept ones whose own time is outside of the window. `fault` is
    what makes the first unreadable record unreadable, `untaken` what was left out without being a record.
    """

    payloads: list[tuple[bytes, int]] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    odd_times: int = 0
    fault: str = ""
    untaken: str = ""

    def reject(self, reason: str, records: int) -> None:
        """Book refused records."""
        self.rejected[reason] = self.rejected.get(reason, 0) + records

    @property
    def rejected_records(self) -> int:
        """Records refused, for whatever reason."""
        return sum(self.rejected.values())

    @property
    def records(self) -> int:
        """Records to be kept."""
        return sum(records for _, records in self.payloads)

    def message(self, service: ExportService, limits: Limits) -> str:
        """What the sender is told, with what to do about it; "" when all is well."""
        remarks = [self.untaken] if self.untaken else []
        if self.rejected:
            why = "; ".join(
                f"{count}: {REASONS[reason].format(fault=self.fault, **limits._asdict())}"
                for reason, count in sorted(self.rejected.items())
            )
            remarks.append(f"{self.rejected_records} {service.records} rejected ({why}).")
        if self.odd_times:
            remarks.append(
                f"{self.odd_times} {service.records} accepted whose time is more than {limits.past_ns // 86_400_000_000_000} "
                f"days in the past or {limits.future_ns // 86_400_000_000_000} in the future: they are filed under the time "
                "of receipt, their own is kept. Check the sender's clock and units (unix nanoseconds)."
            )
        return " ".join(remarks)


def validate(service: ExportService, body: bytes, limits: Limits, now_ns: int, *, normal: bool = False) -> Verdict:
    """Judge a protobuf request received at `now_ns`. A body larger than a message for the bus is cut first.

    That order also bounds memory: upb needs up to 90 times a hostile message's size, and never sees more than one part.
    `normal` says that upb wrote the body. Raises MalformedTelemetry, PayloadTooLarge.
    """
    verdict = Verdict()
    if len(body) <= limits.max_message_bytes:
        _judge(service, body, limits, now_ns, verdict, normal=normal)
        return _unless_malformed(service, body, verdict)
    try:
        parts = wire.cut(body, service.record_path, limits.max_message_bytes)
    except wire.WireFault as fault:
        raise _malformed(service, body, f"the message: {fault}") from None
    if parts.dropped:
        verdict.reject("too_large", parts.dropped)
    for part in parts.messages:
        _judge(service, part, limits, now_ns, verdict)
    return _unless_malformed(service, body, verdict)


def _unless_malformed(service: ExportService, body: bytes, verdict: Verdict) -> Verdict:
    """A request of which nothing else is left than records that cannot be read is no request, and another's is not ours."""
    if verdict.rejected and not verdict.payloads:
        refuse_anothers(service, body)
        if verdict.fault:
            raise _malformed(service, body, verdict.fault)
    return verdict


def _judge(
    service: ExportService, body: bytes, limits: Limits, now_ns: int, verdict: Verdict, *, normal: bool = False
) -> None:
    try:
        request = service.request.FromString(body)
    except DecodeError as error:
        fault = wire.find_fault(body, service.request.DESCRIPTOR) or str(error)
        verdict.fault = verdict.fault or fault
        try:
            saved = wire.salvage(body, service.record_path, partial(_readable, service))
        except wire.WireFault:
            saved = None
        if saved is None:
            refuse_anothers(service, body)
            raise _malformed(service, body, fault) from None
        verdict.reject("unreadable", saved.dropped)
        if not saved.messages:
            return
        (body,) = saved.messages
        request = service.request.FromString(body)
    scan, examine = _PASSES[service.signal.name]
    earliest, latest = now_ns - limits.past_ns, now_ns + limits.future_ns
    records = scan(request, earliest, latest, limits.max_attributes, len(body))
    if records == _SUSPECT:
        _note_unknown(service, request, body, verdict)
        request.DiscardUnknownFields()
        records = examine(request, _Examination(service, verdict, limits, earliest, latest))
        body = request.SerializeToString()
    else:
        _check_number(service, records, limits)
        if not normal and request.SerializeToString() != body:
            request.DiscardUnknownFields()
            body = request.SerializeToString()
    if not records:
        return
    if len(body) > limits.max_message_bytes:
        # Packed numbers may take more than the same unpacked: two bytes for each field of one element.
        for part in wire.cut(body, service.record_path, limits.max_message_bytes).messages:
            _judge(service, part, limits, now_ns, verdict)
        return
    _send(service, request, body, records, limits, verdict)


def _note_unknown(service: ExportService, request: Any, body: bytes, verdict: Verdict) -> None:
    """Raises MalformedTelemetry when it is another service's request."""
    if has_unknown_records(service, request):
        refuse_anothers(service, body)
    verdict.untaken = unknown_members(service, request)
    if legacy := legacy_records(service, request):
        verdict.reject("legacy_scope", legacy)


def _send(service: ExportService, request: Any, body: bytes, records: int, limits: Limits, verdict: Verdict) -> None:
    if records > limits.max_repetition:
        repeated = repeated_bytes(service, request)
        if repeated > limits.max_row_bytes:
            removed = take_out_largest(service, request, limits.max_row_bytes)
            verdict.reject("too_much_repetition", removed)
            records -= removed
            if not records:
                return
            body = request.SerializeToString()
            repeated = repeated_bytes(service, request)
        if repeated > limits.max_repetition * len(body):
            parts = wire.spread(body, service.record_path, limits.max_repetition)
            verdict.payloads += wire.joined(parts, limits.max_message_bytes)
            return
    verdict.payloads.append((body, records))


def _readable(service: ExportService, body: bytes) -> bool:
    try:
        service.request.FromString(body)
    except DecodeError:
        return False
    return True


def _check_number(service: ExportService, records: int, limits: Limits) -> None:
    if records > limits.max_records:
        raise PayloadTooLarge(
            f"The request holds {records} {service.records} or more; send at most {limits.max_records} at once."
        )


def _malformed(service: ExportService, body: bytes, fault: str) -> MalformedTelemetry:
    hint = ""
    if body[:2] == b"\x1f\x8b":
        hint = " It looks gzipped: send Content-Encoding: gzip."
    elif body[:4] == b"\x28\xb5\x2f\xfd":
        hint = " It looks like zstd: send Content-Encoding: zstd."
    elif body.lstrip()[:1] == b"{":
        hint = " It looks like JSON: send Content-Type: application/json."
    return MalformedTelemetry(f"The body is no {service.request.DESCRIPTOR.name}: {fault}.{hint}")


# --- the lean passes: records in the request, or _SUSPECT ---------------------------------------------------------------
# They run for every record there is, hence few names and no calls. An attribute takes 2 bytes at least, so small bodies
# cannot hold too many of them and the count, the dearest of the looks, is left out. UnknownFieldSet is empty, hence false,
# where everything is known; below the records only the order in which upb writes tells (ADR 0019).


def _scan_spans(request: Any, earliest: int, latest: int, most: int, size: int) -> int:
    records = 0
    count_attributes = size > 2 * most
    if UnknownFieldSet(request):
        return _SUSPECT
    for resource in request.resource_spans:
        if UnknownFieldSet(resource) or (count_attributes and len(resource.resource.attributes) > most):
            return _SUSPECT
        for scope in resource.scope_spans:
            records += len(scope.spans)
            if UnknownFieldSet(scope) or (count_attributes and len(scope.scope.attributes) > most):
                return _SUSPECT
            for span in scope.spans:
                if (
                    len(trace_id := span.trace_id) != 16
                    or len(span_id := span.span_id) != 8
                    or trace_id == _NO_TRACE_ID
                    or span_id == _NO_SPAN_ID
                    or not earliest <= span.start_time_unix_nano <= span.end_time_unix_nano <= latest
                    or UnknownFieldSet(span)
                    or (count_attributes and len(span.attributes) > most)
                ):
                    return _SUSPECT
    return records


def _scan_logs(request: Any, earliest: int, latest: int, most: int, size: int) -> int:
    records = 0
    count_attributes = size > 2 * most
    if UnknownFieldSet(request):
        return _SUSPECT
    for resource in request.resource_logs:
        if UnknownFieldSet(resource) or (count_attributes and len(resource.resource.attributes) > most):
            return _SUSPECT
        for scope in resource.scope_logs:
            records += len(scope.log_records)
            if UnknownFieldSet(scope) or (count_attributes and len(scope.scope.attributes) > most):
                return _SUSPECT
            for record in scope.log_records:
                if (
                    not earliest <= (record.time_unix_nano or record.observed_time_unix_nano or earliest) <= latest
                    or UnknownFieldSet(record)
                    or (count_attributes and len(record.attributes) > most)
                ):
                    return _SUSPECT
    return records


def _scan_metrics(request: Any, earliest: int, latest: int, most: int, size: int) -> int:
    records = 0
    count_attributes = size > 2 * most
    if UnknownFieldSet(request):
        return _SUSPECT
    for resource in request.resource_metrics:
        if UnknownFieldSet(resource) or (count_attributes and len(resource.resource.attributes) > most):
            return _SUSPECT
        for scope in resource.scope_metrics:
            if UnknownFieldSet(scope) or (count_attributes and len(scope.scope.attributes) > most):
                return _SUSPECT
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None or UnknownFieldSet(metric):
                    return _SUSPECT
                points = getattr(metric, kind).data_points
                records += len(points)
                has_value = kind in _NUMBERS
                for point in points:
                    if (
                        not earliest <= point.time_unix_nano <= latest
                        or UnknownFieldSet(point)
                        or (has_value and point.WhichOneof("value") is None)
                        or (count_attributes and len(point.attributes) > most)
                    ):
                        return _SUSPECT
    return records


_NUMBERS = frozenset({"gauge", "sum"})


# --- the closer look ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Examination:
    """Takes refused records out of a request and books why."""

    service: ExportService
    verdict: Verdict
    limits: Limits
    earliest: int
    latest: int
    seen: int = 0

    def reject(self, reason: str, records: int) -> None:
        self.verdict.reject(reason, records)

    def keep(
        self,
        records: Any,
        shared_attributes: Iterable[Any],
        refusal: Callable[[Any], str | None],
        times: Callable[[Any], Iterable[int]],
    ) -> int:
        """Judge a repeated field of records; how many stay."""
        self.seen += len(records)
        _check_number(self.service, self.seen, self.limits)
        most = self.limits.max_attributes
        too_many = any(len(attributes) > most for attributes in shared_attributes)
        kept = []
        for record in records:
            reason = "too_many_attributes" if too_many or len(record.attributes) > most else refusal(record)
            if reason:
                self.reject(reason, 1)
            else:
                kept.append(record)
                self.verdict.odd_times += not all(self.earliest <= time <= self.latest for time in times(record))
        replace(records, kept)
        return len(kept)


def replace(records: Any, kept: list[Any]) -> None:
    """Make a repeated field hold `kept` only. At once, because taking elements out one by one is quadratic."""
    if len(kept) < len(records):
        del records[:]
        records.extend(kept)


def _examine_spans(request: Any, look: _Examination) -> int:
    return sum(
        look.keep(scope.spans, (resource.resource.attributes, scope.scope.attributes), _span_refusal, _span_times)
        for resource in request.resource_spans
        for scope in resource.scope_spans
    )


def _span_refusal(span: Any) -> str | None:
    if len(span.trace_id) != 16 or span.trace_id == _NO_TRACE_ID:
        return "invalid_trace_id"
    if len(span.span_id) != 8 or span.span_id == _NO_SPAN_ID:
        return "invalid_span_id"
    return None


def _span_times(span: Any) -> tuple[int, int]:
    return span.start_time_unix_nano, span.end_time_unix_nano


def _examine_logs(request: Any, look: _Examination) -> int:
    return sum(
        look.keep(scope.log_records, (resource.resource.attributes, scope.scope.attributes), _no_refusal, _log_times)
        for resource in request.resource_logs
        for scope in resource.scope_logs
    )


def _no_refusal(_: Any) -> None:
    return None


def _log_times(record: Any) -> tuple[int, ...]:
    # A log record may come without a time (0, "unknown"); the time of receipt is right for it then.
    time = record.time_unix_nano or record.observed_time_unix_nano
    return (time,) if time else ()


def _examine_metrics(request: Any, look: _Examination) -> int:
    left = 0
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            shared = (resource.resource.attributes, scope.scope.attributes)
            known = [metric for metric in scope.metrics if metric.WhichOneof("data")]
            if len(known) < len(scope.metrics):
                look.reject("missing_data", len(scope.metrics) - len(known))
                replace(scope.metrics, known)
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                refusal = _number_refusal if kind in _NUMBERS else _no_refusal
                left += look.keep(getattr(metric, kind).data_points, shared, refusal, _point_times)
    return left


def _number_refusal(point: Any) -> str | None:
    return None if point.WhichOneof("value") or point.flags & _NO_RECORDED_VALUE else "missing_value"


def _point_times(point: Any) -> tuple[int]:
    return (point.time_unix_nano,)


_PASSES: dict[str, tuple[Callable[[Any, int, int, int, int], int], Callable[[Any, _Examination], int]]] = {
    TRACE_SERVICE.signal.name: (_scan_spans, _examine_spans),
    LOGS_SERVICE.signal.name: (_scan_logs, _examine_logs),
    METRICS_SERVICE.signal.name: (_scan_metrics, _examine_metrics),
}
