"""Cursors read back as they were written, and nothing else is taken for one."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.cursors import LogCursor, PointCursor, TraceCursor
from services.analytics.errors import InvalidCursor

I64, U64, U32 = st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
KINDS = [TraceCursor, LogCursor, PointCursor]
CURSORS = st.one_of(
    st.builds(TraceCursor, I64, st.binary(max_size=16).map(bytes.hex)),
    st.builds(LogCursor, I64, U32, U64, U64, I64),
    st.builds(PointCursor, st.text(st.characters(exclude_categories=("Cs",)), max_size=20), U64, I64, I64),
)


@given(CURSORS)
def test_a_cursor_reads_back_from_text_that_needs_no_escape_in_a_url(cursor: TraceCursor) -> None:
    text = cursor.encode()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert type(cursor).decode(text) == cursor


@given(CURSORS, st.sampled_from(KINDS))
def test_a_cursor_of_another_list_is_refused(cursor: TraceCursor, kind: type[TraceCursor]) -> None:
    if kind is not type(cursor):
        with pytest.raises(InvalidCursor):
            kind.decode(cursor.encode())


_PARTS = st.lists(
    st.one_of(
        st.sampled_from(["t", "l", "p", ""]), st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none()
    ),
    max_size=7,
)


@given(
    st.one_of(
        st.text(max_size=40),
        st.binary(max_size=40).map(lambda data: base64.urlsafe_b64encode(data).decode()),
        _PARTS.map(str).map(lambda text: base64.urlsafe_b64encode(text.replace("'", '"').encode()).decode()),
    ),
    st.sampled_from(KINDS),
)
def test_any_other_text_is_refused_or_is_a_cursor(text: str, kind: type[TraceCursor]) -> None:
    try:
        cursor = kind.decode(text)
    except InvalidCursor:
        return
    assert kind.decode(cursor.encode()) == cursor


@pytest.mark.parametrize("parts", [["t", -1, ""], ["t", 2**63, ""], ["t", 1, "AB"], ["t", True, ""], ["t", 1], {}])
def test_values_out_of_bounds_are_refused(parts: object) -> None:
    with pytest.raises(InvalidCursor):
        TraceCursor.decode(base64.urlsafe_b64encode(orjson.dumps(parts)).decode())
