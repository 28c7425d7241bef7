from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.clickhouse_front.engine import EngineError
from embedded.clickhouse_front.requests import Credentials, Request
from embedded.clickhouse_front.status import http_status


def request(query_string: str = "", method: str = "POST", **headers: str) -> Request:
    scope: dict[str, Any] = {
        "method": method,
        "query_string": query_string.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return Request(scope)


def test_settings_are_what_is_left() -> None:
    asked = request("query=SELECT+1&database=d&param_x=1&query_id=q&max_threads=2&t_structure=a&format_schema=a%26b")
    assert asked.settings(frozenset({"t"})) == {"max_threads": "2", "format_schema": "a&b"}
    assert asked.parameters == {"x": "1"}
    assert (asked.database, asked.query_id) == ("d", "q")


def test_a_get_only_reads() -> None:
    assert request("query=x", method="GET").settings(frozenset()) == {"readonly": "2"}
    assert request("query=x&readonly=1", method="GET").settings(frozenset()) == {"readonly": "1"}


@pytest.mark.parametrize("name", ["a%20b", "a%3D1%2C+b", "%27"])
def test_names_that_are_no_settings_are_refused(name: str) -> None:
    with pytest.raises(EngineError, match="Unknown setting"):
        request(f"{name}=1").settings(frozenset())


def test_formats_are_names() -> None:
    assert request().default_format == "TabSeparated"
    assert request(x_clickhouse_format="CSV").default_format == "CSV"
    with pytest.raises(EngineError, match="Unknown format"):
        _ = request("default_format=CSV%3B+DROP").default_format


@pytest.mark.parametrize("text", ["0", "3601", "-1", "1.5", "²", "x"])
def test_session_timeouts_have_bounds(text: str) -> None:
    with pytest.raises(EngineError) as caught:
        _ = request(f"session_id=s&session_timeout={text}").session_timeout
    assert caught.value.code == 374


def test_credentials_in_every_form() -> None:
    assert request().credentials() == Credentials("default", "")
    assert request("user=u&password=p").credentials() == Credentials("u", "p")
    assert request(x_clickhouse_user="u", x_clickhouse_key="p").credentials() == Credentials("u", "p")
    token = base64.b64encode("ü:p:q".encode()).decode()
    assert request(authorization=f"Basic {token}").credentials() == Credentials("ü", "p:q")
    with pytest.raises(EngineError, match="Invalid HTTP Basic"):
        request(authorization="Basic ***").credentials()


def test_block_compression_is_refused() -> None:
    with pytest.raises(EngineError, match="Content-Encoding"):
        request("compress=1").refuse_unsupported()


def test_errors_are_read_and_mapped() -> None:
    text = "Code: 395. DB::Exception: f(x) says (B) c: while executing 'g(1)'. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
    error = EngineError.from_text(text)
    assert (error.code, error.name) == (395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO")
    assert error.message == "f(x) says (B) c: while executing 'g(1)'."
    assert [http_status(code) for code in (60, 62, 159, 395, 516)] == [404, 400, 408, 500, 403]
    assert EngineError.from_text("something else").code == 1002


_NAMES = st.sampled_from(
    ["query", "database", "session_id", "session_timeout", "param_x", "default_format", "a b", "é", ""]
)


@given(
    st.lists(st.tuples(_NAMES | st.text(max_size=8), st.text(max_size=8)), max_size=6).map(
        lambda pairs: urlencode(pairs, errors="replace")
    )
    | st.text(st.characters(codec="latin-1"), max_size=40),
    st.text(st.characters(codec="latin-1"), max_size=30),
)
def test_any_request_is_read_or_refused_with_a_code(query_string: str, authorization: str) -> None:
    scope: dict[str, Any] = {
        "method": "POST",
        "query_string": query_string.encode("latin-1"),
        "headers": [(b"authorization", authorization.encode("latin-1"))],
    }
    asked = Request(scope)
    for read in (asked.credentials, lambda: asked.default_format, lambda: asked.session_timeout):
        try:
            read()
        except EngineError as error:
            assert error.code in {516, 73, 374}
    try:
        settings = asked.settings(frozenset())
    except EngineError as error:
        assert error.code == 115
    else:
        assert all(name.isidentifier() for name in settings)
