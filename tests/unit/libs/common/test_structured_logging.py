"""Log lines: one shape, and no secrets in it."""

import io
import logging
import warnings

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from libs.common import tracing
from libs.common.settings import ServiceSettings
from libs.common.structured_logging import REDACTED, configure_logging, redact
from libs.common.testing import recorded_logs, recorded_spans

KEY = "airis_abcdefghij23_" + "s3cr3t" * 8
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl"


def test_our_lines_and_a_librarys_have_the_same_shape() -> None:
    with recorded_logs() as logs:
        structlog.get_logger("ours").info("stored", rows=3)
        logging.getLogger("uvicorn.error").info("started %s", "server")
    ours, theirs = logs.lines
    assert ours["event"] == "stored"
    assert ours["rows"] == 3
    assert theirs["event"] == "started server"
    assert theirs["logger"] == "uvicorn.error"
    assert ours.keys() - {"rows"} == theirs.keys() == {"event", "level", "logger", "timestamp"}
    assert ours["timestamp"].endswith("Z")


def test_levels_below_the_set_one_are_silent() -> None:
    with recorded_logs("warning") as logs:
        structlog.get_logger().info("quiet")
        logging.getLogger("library").info("quiet")
        structlog.get_logger().warning("loud")
    assert [line["event"] for line in logs.lines] == ["loud"]


async def test_a_line_inside_a_span_carries_its_ids() -> None:
    with recorded_logs() as logs:
        async with recorded_spans() as spans:
            with tracing.span("work"):
                structlog.get_logger().info("inside")
        structlog.get_logger().info("outside")
    inside, outside = logs.lines
    context = spans[0].get_span_context()
    assert inside["trace_id"] == f"{context.trace_id:032x}"
    assert inside["span_id"] == f"{context.span_id:016x}"
    assert "trace_id" not in outside


def test_bound_context_is_on_every_line() -> None:
    with recorded_logs() as logs, structlog.contextvars.bound_contextvars(service="ui", role="api", request_id="r1"):
        logging.getLogger("library").warning("careful")
    assert logs.lines[0]["service"] == "ui"
    assert logs.lines[0]["request_id"] == "r1"


def test_an_exception_is_one_field_of_one_line() -> None:
    with recorded_logs() as logs:
        try:
            int("no such thing")
        except ValueError:
            structlog.get_logger().exception("failed")
    (line,) = logs.lines
    assert line["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'no such thing'"


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"Authorization": "hunter2"},
        {"headers": {"cookie": "hunter2", "set-cookie": "hunter2", "X-Api-Key": "hunter2"}},
        {"list": [{"clickhouse_password": "hunter2"}]},
        {"settings": SecretStr("hunter2")},
        {"token": "hunter2"},
        {"text": "calling redis://user:hunter2@cache:6379/0"},
        {"text": "Bearer hunter2hunter2"},
    ],
)
def test_secrets_under_telling_keys_and_in_texts_are_replaced(fields: dict) -> None:
    with recorded_logs() as logs:
        structlog.get_logger().info("event", **fields)
    assert "hunter2" not in logs.text


def test_keys_and_tokens_are_replaced_wherever_they_stand() -> None:
    with recorded_logs() as logs:
        structlog.get_logger().info(f"got {KEY}", nested=[{"a": JWT}])
        logging.getLogger("library").warning("header was Bearer %s", KEY)
        try:
            int(f"bad key {KEY} {JWT}")
        except ValueError:
            logging.getLogger("library").exception("failed")
    assert "s3cr3t" not in logs.text
    assert JWT not in logs.text
    assert logs.lines[0]["event"] == f"got airis_abcdefghij23_{REDACTED}"


def test_what_only_looks_like_a_secret_stays() -> None:
    fields = {"deduplication_token": "t-0-0-9", "tokens_used": 7, "url": "http://127.0.0.1:8123/x", "secretary": "Ann"}
    assert redact(None, "info", dict(fields)) == fields


@given(
    st.dictionaries(
        st.text(),
        st.one_of(
            st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.sets(st.integers()), st.just(object())
        ),
    )
)
def test_whatever_is_logged_one_json_line_comes_out(fields: dict) -> None:
    with recorded_logs() as logs:
        structlog.get_logger().info("event", fields=fields)
    assert logs.text.count("\n") == 1
    assert logs.lines[0]["event"] == "event"


def test_warnings_go_the_same_way() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with recorded_logs() as logs:
            warnings.warn("old ways", stacklevel=1)
    assert "old ways" in logs.lines[0]["event"]


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    with recorded_logs():  # for its clean-up
        configure_logging(ServiceSettings(log_format="console"), stream=stream)
        structlog.get_logger().info("stored", rows=3, password="hunter2")
    assert "stored" in stream.getvalue()
    assert "rows=3" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
