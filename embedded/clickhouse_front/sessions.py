"""HTTP sessions: settings, current database and temporary tables that outlive one request.

Clients send a session id with every request, and most never change anything in it. A session therefore costs an entry in a
dictionary; only SET, USE and CREATE TEMPORARY TABLE give it an engine context of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from embedded.clickhouse_front.engine import Context, Engine, EngineError
from libs.common.clock import Clock

DEFAULT_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 3600
MAX_CHANGES = 500


@dataclass(slots=True)
class Session:
    """`changes` are the SET and USE statements so far, replayed before each statement."""

    expires: float
    timeout: int
    busy: bool = False
    context: Context | None = None
    changes: list[str] = field(default_factory=list)


class Sessions:
    """Bounded by count; a session ends when it has not been used for its timeout."""

    def __init__(self, engine: Engine, clock: Clock, limit: int = 10_000, context_limit: int = 64) -> None:
        self._engine, self._clock, self._limit, self._context_limit = engine, clock, limit, context_limit
        self._sessions: dict[str, Session] = {}

    @contextmanager
    def enter(self, session_id: str, timeout: int, must_exist: bool) -> Iterator[Session]:
        """The session for one statement. Raises EngineError when it is in use, unknown though it must exist, or one too many."""
        self.expire()
        session = self._sessions.get(session_id)
        if session is None:
            if must_exist:
                raise EngineError(372, "SESSION_NOT_FOUND", f"Session {session_id} not found")
            if len(self._sessions) >= self._limit:
                raise EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"More than {self._limit} sessions are open")
            session = self._sessions[session_id] = Session(0.0, timeout)
        if session.busy:
            raise EngineError(373, "SESSION_IS_LOCKED", f"Session {session_id} is locked by a concurrent client")
        session.busy, session.timeout = True, timeout
        try:
            yield session
        finally:
            session.busy = False
            session.expires = self._clock.monotonic() + session.timeout

    def give_context(self, session: Session) -> None:
        """Give the session an engine context that it keeps, for its temporary tables."""
        if session.context is not None:
            return
        if sum(other.context is not None for other in self._sessions.values()) >= self._context_limit:
            detail = f"More than {self._context_limit} sessions have temporary tables"
            raise EngineError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", detail)
        session.context = self._engine.open_context()

    def remember(self, session: Session, statement: str) -> None:
        """Replay this SET or USE before each later statement of the session. Raises EngineError when there are too many."""
        if statement in session.changes:
            session.changes.remove(statement)
        if len(session.changes) >= MAX_CHANGES:
            raise EngineError(
                290, "LIMIT_EXCEEDED", f"A session remembers at most {MAX_CHANGES} SET and USE statements"
            )
        session.changes.append(statement)

    def expire(self) -> None:
        """Forget sessions past their time."""
        now = self._clock.monotonic()
        for session_id in [
            key for key, session in self._sessions.items() if not session.busy and session.expires <= now
        ]:
            self._drop(self._sessions.pop(session_id))

    def close(self) -> None:
        for session in self._sessions.values():
            self._drop(session)
        self._sessions.clear()

    def _drop(self, session: Session) -> None:
        if session.context is not None:
            session.context.close()
            session.context = None
