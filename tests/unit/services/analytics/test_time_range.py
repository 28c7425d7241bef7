"""Times as written, and how ranges are cut."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidRequest
from services.analytics.time_range import BUCKET, SECOND, TimeRange, buckets, read_range, read_time, slices

NANOS = st.integers(10**17, 2**63 - 1)
RANGES = st.tuples(st.integers(10**17, 2 * 10**18), st.integers(1, 32 * 86_400 * SECOND)).map(
    lambda drawn: TimeRange(drawn[0], drawn[0] + drawn[1])
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(NANOS)
def test_nanoseconds_are_read_as_they_are(nanos: int) -> None:
    assert read_time(str(nanos), "from") == nanos


@given(st.integers(0, 9 * 10**9), st.integers(0, 10**9 - 1), st.integers(-14 * 60, 14 * 60))
def test_rfc_3339_keeps_every_nanosecond_at_every_offset(seconds: int, nanos: int, offset: int) -> None:
    moment = (EPOCH + timedelta(seconds=seconds)).astimezone(timezone(timedelta(minutes=offset)))
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09d}{moment.isoformat()[-6:]}"
    assert read_time(text, "from") == seconds * SECOND + nanos
    # A plus sign that was not encoded arrives as a space.
    assert read_time(text.replace("+", " "), "from") == seconds * SECOND + nanos


def test_a_leap_second_is_the_second_after() -> None:
    assert read_time("2016-12-31T23:59:60Z", "to") == read_time("2017-01-01T00:00:00Z", "to")


@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(
            r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,10})?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
        ),
    )
)
def test_any_text_is_a_time_or_a_request_error(text: str) -> None:
    try:
        assert 0 <= read_time(text, "from") < 2**63
    except InvalidRequest as error:
        assert error.extra["errors"][0]["name"] == "from"


@given(st.none() | NANOS, st.none() | NANOS, st.integers(10**18, 2 * 10**18))
def test_a_range_is_one_or_a_request_error(start: int | None, end: int | None, now: int) -> None:
    try:
        found = read_range(start and str(start), end and str(end), now)
    except InvalidRequest:
        return
    except Exception as error:
        assert getattr(error, "id", "") == "invalid-time-range"
        return
    assert found.start < found.end
    assert start is None or found.start == start
    assert end is None or found.end == end


@given(RANGES)
def test_slices_are_the_range_without_gap_or_overlap(span: TimeRange) -> None:
    end = span.end
    for begin, until in slices(span.start, span.end):
        assert until == end
        assert span.start <= begin < until
        assert begin == span.start or until - begin <= BUCKET or begin % BUCKET == 0
        end = begin
    assert end == span.start


@given(RANGES, st.sampled_from([60, 3600]))
def test_whole_units_lie_inside_and_leave_less_than_one_at_each_end(span: TimeRange, seconds: int) -> None:
    first, last = span.whole(seconds)
    assert first % seconds == last % seconds == 0
    if first < last:
        assert 0 <= first * SECOND - span.start < seconds * SECOND
        assert 0 <= span.end - last * SECOND < seconds * SECOND
    else:
        assert first == last
        assert first * SECOND >= span.end


@given(RANGES, st.integers(1, 500))
def test_steps_cover_the_range(span: TimeRange, points: int) -> None:
    step = span.step(points)
    steps = span.steps(step)
    assert steps[0] * SECOND <= span.start
    assert span.end <= (steps[-1] + step) * SECOND
    assert step == 86400 or span.seconds / step <= points


@given(st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 2000)), max_size=6))
def test_buckets_hold_every_second_of_every_spell_and_none_twice(drawn: list[tuple[int, int]]) -> None:
    spells = [(first, first + length) for first, length in drawn]
    wanted = {second // 300 * 300 for first, last in spells for second in (*range(first, last, 300), last)}
    starts, ends = buckets(spells)
    held = [bucket for start, end in zip(starts, ends, strict=True) for bucket in range(start, end, 300)]
    assert sorted(wanted) == held


@pytest.mark.parametrize("text", ["1700000000", "1700000000000", "99999999999999999"])
def test_other_units_are_told_apart_from_nanoseconds(text: str) -> None:
    with pytest.raises(InvalidRequest, match="before 1973"):
        read_time(text, "from")
