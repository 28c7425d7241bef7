"""Our own spans, and the way they travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import INVALID_SPAN_CONTEXT, StatusCode, get_current_span

from libs.common import tracing
from libs.common.settings import ServiceSettings, TelemetrySettings
from libs.common.testing import recorded_spans

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_without_an_endpoint_nothing_is_recorded() -> None:
    async with tracing.traced(TelemetrySettings(), ServiceSettings(), "service"):
        with tracing.span("work") as span:
            assert not span.is_recording()
            assert tracing.current_ids() is None


async def test_a_span_names_its_service_and_continues_its_caller() -> None:
    async with recorded_spans("analytics") as spans:
        with tracing.span("work", parent=tracing.extract({"traceparent": PARENT})):
            headers: dict[str, str] = {}
            tracing.inject(headers)
    (span,) = spans
    assert span.resource.attributes["service.name"] == "analytics"
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert headers["traceparent"] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_a_callers_decision_not_to_sample_is_kept() -> None:
    async with recorded_spans() as spans:
        with tracing.span("work", parent=tracing.extract({"traceparent": PARENT[:-1] + "0"})):
            assert tracing.current_ids() is not None
    assert spans == []


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", PARENT + "-\x00"])
async def test_a_malformed_parent_starts_a_new_trace(header: str) -> None:
    async with recorded_spans() as spans:
        with tracing.span("work", parent=tracing.extract({"traceparent": header})):
            pass
    assert spans[0].parent is None


async def test_context_crosses_the_bus_in_headers() -> None:
    async with recorded_spans() as spans:
        with tracing.span("send"):
            headers = tracing.inject_bus_headers([("tenant", b"t1")])
        assert headers[0] == ("tenant", b"t1")
        with tracing.span("receive", parent=tracing.extract_bus_headers(headers)):
            pass
    send, receive = spans
    assert receive.context.trace_id == send.context.trace_id
    assert receive.parent.span_id == send.context.span_id


def test_without_a_span_bus_headers_stay_as_they_are() -> None:
    assert tracing.inject_bus_headers([("tenant", b"t1")]) == (("tenant", b"t1"),)


async def test_the_write_path_of_traces_is_not_traced() -> None:
    async with recorded_spans() as spans:
        with tracing.untraced(), tracing.span("store spans"):
            assert tracing.current_ids() is None
        with tracing.span("other"):
            pass
    assert [span.name for span in spans] == ["other"]


async def test_an_error_marks_the_span_by_type_and_keeps_its_text_out() -> None:
    async with recorded_spans() as spans:
        with pytest.raises(ValueError, match="hunter2"), tracing.span("work"):
            raise ValueError("hunter2")
    (span,) = spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ValueError"
    assert span.events == ()
    assert span.status.description is None


@given(
    st.binary(min_size=16, max_size=16).filter(any), st.binary(min_size=8, max_size=8).filter(any), st.integers(0, 1)
)
def test_a_traceparent_is_read_from_both_carriers(trace_id: bytes, span_id: bytes, flags: int) -> None:
    text = f"00-{trace_id.hex()}-{span_id.hex()}-{flags:02x}"
    for context in (
        tracing.extract({"traceparent": text}),
        tracing.extract_bus_headers([("Traceparent", text.encode())]),
    ):
        found = get_current_span(context).get_span_context()
        assert (found.trace_id, found.span_id) == (int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"))
        assert int(found.trace_flags) == flags


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "tracestate", "TRACEPARENT", "other"]),
            st.one_of(
                st.binary(max_size=60), st.from_regex(rb"\A[0-9a-f]{2}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}\Z")
            ),
        ),
        max_size=4,
    )
)
def test_headers_of_any_kind_give_a_valid_parent_or_none(headers: list[tuple[str, bytes]]) -> None:
    found = get_current_span(tracing.extract_bus_headers(headers)).get_span_context()
    assert found.is_valid or found == INVALID_SPAN_CONTEXT
