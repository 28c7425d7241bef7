"""Transactions on a service's control store: SQLite on one machine, PostgreSQL elsewhere, the same behaviour on both.

    async with open_control_store(settings, "analytics", clock=clock, registry=registry) as store:
        dashboard = await store.read("dashboard", lambda session: repository.dashboard(session, tenant, name))

        async def rename(session: AsyncSession) -> None:
            ...
        await store.write("dashboard.rename", rename)

A transaction is a function, because one that met another's change is begun again: it must do nothing but use its session.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TypeVar

import structlog
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from libs.common import tracing
from libs.common.clock import Clock, SystemClock
from libs.common.control_store.engine import (
    DRIVER_ERRORS,
    has_no_schema,
    is_away,
    is_conflict,
    is_unique_violation,
    make_engine,
    reading,
    writing,
)
from libs.common.control_store.metrics import ControlStoreMetrics
from libs.common.errors import AirisError, Conflict, ControlStoreUnavailable, InternalError
from libs.common.settings import ControlSettings

T = TypeVar("T")
Work = Callable[[AsyncSession], Awaitable[T]]

CHECK_SECONDS = 1.5
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.25

log = structlog.get_logger(__name__)


class AlreadyExists(Conflict):
    """409. A unique constraint held: there is such a thing already. Catch it to say which, in the caller's words."""


class ControlStore:
    """One service's tables. Made by open_control_store; `engine` is for migrations and tests."""

    def __init__(
        self, settings: ControlSettings, engine: AsyncEngine, clock: Clock, metrics: ControlStoreMetrics | None
    ) -> None:
        self.engine = engine
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._reading, self._writing = reading(engine), writing(engine)
        # SQLite has one writer. Ours queue here, in order, and not in its busy handler, which polls.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None

    async def read(self, name: str, work: Work[T]) -> T:
        """What `work` returns, from one consistent state of the tables; it may not write. Raises as `write` does."""
        return await self._run(name, work, self._reading, None)

    async def write(self, name: str, work: Work[T]) -> T:
        """What `work` returns, once all it did is durable; when it raises, nothing was done.

        Transactions behave as if they ran one after another. One that met another's change is begun again, so `work` may
        run several times. `name` is a metric's label. Raises AlreadyExists for a unique constraint, ControlStoreUnavailable
        when the engine is away or stays busy; after a lost connection nobody knows whether the change was made.
        """
        return await self._run(name, work, self._writing, self._turn)

    async def check(self) -> None:
        """Readiness: one trivial query. Raises ControlStoreUnavailable."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self.read("check", lambda session: session.execute(text("SELECT 1")))
        except TimeoutError:
            raise ControlStoreUnavailable("The control store did not answer in time.") from None

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()

    async def _run(self, name: str, work: Work[T], engine: AsyncEngine, turn: asyncio.Lock | None) -> T:
        with self._observed(name):
            try:
                async with asyncio.timeout(self._settings.timeout_seconds), turn or nullcontext():
                    return await self._until_done(name, work, engine)
            except TimeoutError:
                raise ControlStoreUnavailable("The control store did not answer in time.") from None
            except PoolTimeout as error:
                raise ControlStoreUnavailable("The control store is busy.") from error
            except DRIVER_ERRORS as error:
                raise ControlStoreUnavailable("The control store does not answer.") from error

    async def _until_done(self, name: str, work: Work[T], engine: AsyncEngine) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                    return await work(session)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise _leaf(error) from error
            if self._metrics is not None:
                self._metrics.retries.labels(name).inc()
            # Jitter, or two that met would meet again. Bounded by the timeout around us.
            await self._clock.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LAST_PAUSE)

    @contextmanager
    def _observed(self, name: str) -> Iterator[None]:
        started, outcome = self._clock.monotonic(), "ok"
        attributes = {"db.system.name": self.engine.dialect.name, "db.query.summary": name}
        try:
            with tracing.span(f"control {name}", kind=SpanKind.CLIENT, attributes=attributes):
                yield
        except AirisError as error:
            outcome = error.id
            if error.__cause__ is not None:
                # What the engine itself said is for us; callers are shown the error's detail.
                log.warning("control store error", transaction=name, error=error.id, reason=str(error.__cause__))
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            if self._metrics is not None:
                self._metrics.duration.labels(name, outcome).observe(self._clock.monotonic() - started)


@asynccontextmanager
async def open_control_store(
    settings: ControlSettings,
    service: str,
    *,
    clock: Clock | None = None,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[ControlStore]:
    """The service's own part of the control store; connects on first use. Its schema is made by migrations."""
    metrics = ControlStoreMetrics(registry) if registry is not None else None
    store = ControlStore(settings, make_engine(settings, service), clock or SystemClock(), metrics)
    try:
        yield store
    finally:
        await store.close()


def _leaf(error: DBAPIError) -> AirisError:
    if is_unique_violation(error):
        return AlreadyExists("There is one already.")
    if has_no_schema(error):
        return ControlStoreUnavailable("The control store's schema is not in place. Run 'airis migrate'.")
    if is_away(error):
        return ControlStoreUnavailable("The control store does not answer.")
    return InternalError("The control store refused the change. It has been logged under the request id.")
