from __future__ import annotations

from typing import cast

import pytest

from embedded.clickhouse_front.engine import Engine, EngineError
from embedded.clickhouse_front.sessions import Sessions
from libs.common.testing.clocks import FakeClock


class Context:
    closed = False

    def close(self) -> None:
        self.closed = True


class Contexts:
    """Stands in for the engine: hands out contexts and remembers them."""

    def __init__(self) -> None:
        self.opened: list[Context] = []

    def open_context(self) -> Context:
        self.opened.append(Context())
        return self.opened[-1]


@pytest.fixture
def contexts() -> Contexts:
    return Contexts()


def sessions(contexts: Contexts, clock: FakeClock, limit: int = 10, context_limit: int = 10) -> Sessions:
    return Sessions(cast("Engine", contexts), clock, limit, context_limit)


def test_one_statement_at_a_time(contexts: Contexts) -> None:
    some = sessions(contexts, FakeClock())
    with some.enter("a", 60, must_exist=False), some.enter("b", 60, must_exist=False):
        with pytest.raises(EngineError) as caught, some.enter("a", 60, must_exist=False):
            pass
        assert caught.value.code == 373
    with some.enter("a", 60, must_exist=True):
        pass


def test_sessions_end_after_their_timeout(contexts: Contexts) -> None:
    clock = FakeClock()
    some = sessions(contexts, clock)
    with some.enter("a", 60, must_exist=False) as session:
        some.give_context(session)
        some.give_context(session)
        some.remember(session, "SET a = 1")
    clock.move(59)
    with some.enter("a", 60, must_exist=True) as again:
        assert again.changes == ["SET a = 1"]
    clock.move(61)
    with pytest.raises(EngineError) as caught, some.enter("a", 60, must_exist=True):
        pass
    assert caught.value.code == 372
    assert [context.closed for context in contexts.opened] == [True]


def test_counts_are_bounded(contexts: Contexts) -> None:
    some = sessions(contexts, FakeClock(), limit=2, context_limit=1)
    with some.enter("a", 60, must_exist=False) as a, some.enter("b", 60, must_exist=False) as b:
        some.give_context(a)
        with pytest.raises(EngineError):
            some.give_context(b)
        with pytest.raises(EngineError), some.enter("c", 60, must_exist=False):
            pass


def test_a_repeated_change_moves_to_the_end(contexts: Contexts) -> None:
    some = sessions(contexts, FakeClock())
    with some.enter("a", 60, must_exist=False) as session:
        for statement in ("SET a = 1", "SET a = 2", "SET a = 1"):
            some.remember(session, statement)
        assert session.changes == ["SET a = 2", "SET a = 1"]
    some.close()
