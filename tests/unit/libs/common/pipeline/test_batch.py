"""Tokens and intents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.bus.protocol import MAX_METADATA_BYTES, Position, Record, TopicPartition
from libs.common.pipeline.batch import Batch, Committed

PARTITION = TopicPartition("telemetry.traces", 3)


def record(offset: int) -> Record:
    return Record("telemetry.traces", 3, offset, None, b"payload", (), 1_700_000_000_000)


def test_a_token_names_the_life_and_the_exact_range() -> None:
    batch = Batch.over(PARTITION, "a1", (record(5), record(6), record(9)))
    assert batch.token == "telemetry.traces-a1-3-5-9"
    left, right = batch.halves()
    assert (left.token, right.token) == ("telemetry.traces-a1-3-5-5", "telemetry.traces-a1-3-6-9")
    assert batch.of([record(6)]).token == batch.token


def test_a_batch_that_an_older_release_announced_keeps_its_token() -> None:
    committed = Committed.read(Position(5, "last=9"))
    assert committed == Committed(5, None, 9, None)
    assert Batch(PARTITION, committed.life, 5, 9, (record(5),)).token == "telemetry.traces-3-5-9"
    assert Committed.read(committed.position) == committed, "announced again as it was"


def test_retention_may_have_taken_the_head_of_what_was_announced() -> None:
    assert Batch(PARTITION, "a1", 5, 6, (record(5), record(6))).whole
    assert not Batch(PARTITION, "a1", 5, 6, (record(6),)).whole


@given(
    st.integers(0, 2**62),
    st.text("abcXYZ019-_", min_size=1, max_size=40),
    st.none() | st.integers(0, 2**62),
    st.integers(0, 2**45),
)
def test_what_is_committed_reads_back(offset: int, life: str, last: int | None, at_ms: int) -> None:
    committed = Committed(offset, life, last, at_ms if last is not None else None)
    assert Committed.read(committed.position) == committed
    assert len(committed.position.metadata) < MAX_METADATA_BYTES


@pytest.mark.parametrize("metadata", ["", "somebody else's words", "lasting=1"])
def test_foreign_metadata_is_none(metadata: str) -> None:
    assert Committed.read(Position(5, metadata)) == Committed(5)


def test_the_release_before_lives_stops_at_an_intent_that_it_cannot_keep() -> None:
    metadata = Committed(5, "a1", 9, 1).position.metadata
    assert metadata.startswith("last=")  # it knows that this is an intent,
    with pytest.raises(ValueError, match="invalid literal"):
        int(metadata.removeprefix("last="))  # and ends rather than insert it under a token of its own
