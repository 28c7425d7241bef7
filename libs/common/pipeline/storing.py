"""Put one batch into the store: retry what may pass, set apart what never will, check what is uncertain.

Three questions decide what may be inserted, and under which token:

- Is the token certainly remembered? Then the same insert again is a no-op or the first one, in tables and views alike.
- If not, what is stored? It is counted, when no insert of the token can run any more, and only what is missing is inserted.
- May the batch be cut? Only when nothing of it is stored: its parts have other tokens. The caller announces each of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

import structlog

from libs.common.bus.protocol import Record
from libs.common.clock import Clock
from libs.common.errors import QueryTimeout, QueryTooExpensive, Unavailable
from libs.common.pipeline.batch import Batch
from libs.common.pipeline.budget import MemoryBudget
from libs.common.pipeline.dead_letters import DeadLetters
from libs.common.pipeline.metrics import WriterMetrics
from libs.common.pipeline.pacing import Coverage, Pace
from libs.common.pipeline.settings import PipelineSettings
from libs.common.pipeline.sink import Memory, Rejected, Sink, TooLarge

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """How `put` ends."""

    STORED = auto()
    # Nothing of the batch is stored and the store takes less at once: announce a part of it.
    CUT = auto()


@dataclass(slots=True)
class Task:
    """A batch on its way. `age` in seconds is the announcement's, None when it is not known; `uncertain`: an earlier try may
    have stored it. `still_ours` raises CommitFenced when the partition has another owner.
    """

    batch: Batch
    coverage: Coverage
    memory: Memory
    still_ours: Callable[[], Awaitable[None]]
    age: float | None = 0.0
    uncertain: bool = False
    began: float = 0.0
    refusals: int = field(default=0)

    def forgotten(self, now: float) -> bool:
        """Whether the store may have stored this and not know it any more."""
        if not self.batch.whole:
            return True  # the token stands for records that are gone
        return self.age is None or not self.coverage.remembers(self.age + now - self.began)


class BatchStore:
    """Keeps trying until every record of a batch is in the store or in dead letters, or the batch must be cut."""

    def __init__(
        self,
        sink: Sink,
        dead_letters: DeadLetters,
        settings: PipelineSettings,
        clock: Clock,
        metrics: WriterMetrics,
        budget: MemoryBudget,
        slots: asyncio.Semaphore,
    ) -> None:
        self.sink = sink
        self.pace = Pace(settings)
        self._dead_letters = dead_letters
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._budget = budget
        self._slots = slots

    async def put(self, task: Task) -> Outcome:
        """See Outcome. Raises StoreRejected when our statement is at fault, and CommitFenced."""
        task.began = self._clock.monotonic()
        delay = self._settings.retry_seconds
        while True:
            try:
                return await self._attempt_or_cut(task)
            except TooLarge as large:
                reason = large.reason
            except (Unavailable, QueryTimeout, QueryTooExpensive) as error:
                reason = error.detail
            # The insert may have happened although its answer did not arrive.
            task.uncertain = True
            self._metrics.retries.labels(reason="store").inc()
            log.warning("store does not confirm, trying again", batch=task.batch.token, detail=reason, seconds=delay)
            await self._clock.sleep(delay)
            delay = min(delay * 2, self._settings.retry_limit_seconds)
            await task.still_ours()

    async def _attempt_or_cut(self, task: Task) -> Outcome:
        try:
            await self._attempt(task)
        except TooLarge as large:
            task.refusals += 1
            if not self._tried_enough(task, large):
                raise
            if await self._stored(task):
                raise  # the table has it, and a view had no memory left; under its own token it may have some later
            return await self._cut_or_set_apart(task, large.reason)
        except Rejected as rejected:
            if await self._stored(task):
                return self._refused_by_a_view(task.batch, rejected.reason)
            return await self._cut_or_set_apart(task, rejected.reason)
        self._confirm(task.batch)
        return Outcome.STORED

    async def _attempt(self, task: Task) -> None:
        batch = task.batch
        if task.forgotten(self._clock.monotonic()):
            await self._insert_missing(task)
            return
        if task.uncertain and not task.memory.atomic:
            await self.sink.end_insert(batch.token)
        await self._insert(batch, batch.token)
        # Of a batch that an older release announced, inserts may run that have no id; they cannot be ended before the count.
        if task.uncertain and not task.memory.atomic and batch.life is not None:
            await self._fill_holes(batch)

    async def _insert_missing(self, task: Task) -> None:
        """Count first, because the token may be known, forgotten, or stand for records that are gone."""
        batch = task.batch
        stored = await self._stored(task)
        missing = [record for record in batch.records if self.sink.rows(record) and not stored.get(record.offset)]
        self._metrics.counted.labels(signal=self.sink.name).inc()
        log.warning(
            "the store may have forgotten this batch, so it was counted",
            batch=batch.token, records=len(batch.records), missing=len(missing),
        )  # fmt: skip
        self._compare(batch, stored, {record.offset for record in missing})
        if missing and (stored or not batch.whole):
            await self._insert(batch.of(missing), _rest(batch, missing))
        elif missing:
            # Nothing of it is there, so its token is used for the first time now, and remembered from now on.
            task.age, task.began = 0.0, self._clock.monotonic()
            await self._insert(batch, batch.token)

    async def _stored(self, task: Task) -> dict[int, int]:
        """Rows per offset, when no insert of this batch can add to them any more. Raises Unavailable or a query's error."""
        if not task.memory.atomic:
            await self.sink.end_insert(task.batch.token)
        return await self._count(task.batch)

    async def _count(self, batch: Batch) -> dict[int, int]:
        try:
            async with self._slots:
                return await self.sink.stored_rows(batch)
        except (QueryTimeout, QueryTooExpensive):
            if len(batch.records) == 1:
                raise
            left, right = batch.halves()
            return await self._count(left) | await self._count(right)

    async def _insert(self, batch: Batch, token: str) -> None:
        async with self._slots:
            self._budget.take(batch.size)
            started = self._clock.monotonic()
            self.pace.began(started)
            try:
                await self.sink.insert(batch, token)
            finally:
                self._budget.give_back(batch.size)
            seconds = self._clock.monotonic() - started
            self.pace.took(seconds)
            self._metrics.insert_seconds.labels(signal=self.sink.name).observe(seconds)

    async def _fill_holes(self, batch: Batch) -> None:
        """Compare rows per offset with what was sent.

        A single server notes a token just before it makes the part visible; killed between the two, it drops the retry of
        rows it never kept. Rare, and without this check silent. When it cannot be made in time, that is said and counted.
        """
        deadline = self._clock.monotonic() + self._settings.count_seconds
        attempt = 0
        while True:
            try:
                await self.sink.end_insert(batch.token)
                stored = await self._count(batch)
                missing = [r for r in batch.records if self.sink.rows(r) and not stored.get(r.offset)]
                if not missing:
                    self._compare(batch, stored, set())
                    return
                attempt += 1
                log.warning(
                    "store dropped rows it did not have, inserting them again", batch=batch.token, records=len(missing)
                )
                # A further token each time: this insert can end between the two steps as well.
                await self._insert(batch.of(missing), f"{_rest(batch, missing)}-again-{attempt}")
                self._metrics.holes.labels(signal=self.sink.name).inc(len(missing))
            except (Unavailable, QueryTimeout, QueryTooExpensive, TooLarge, Rejected) as error:
                if self._clock.monotonic() >= deadline:
                    log.warning("cannot count what is stored, going on without", batch=batch.token, detail=str(error))
                    self._metrics.unreconciled.labels(signal=self.sink.name).inc(len(batch.records))
                    return
                self._metrics.retries.labels(reason="count").inc()
                await self._clock.sleep(self._settings.retry_seconds)

    def _compare(self, batch: Batch, stored: dict[int, int], missing: set[int]) -> None:
        partial = [
            record.offset
            for record in batch.records
            if record.offset not in missing and stored.get(record.offset, 0) != self.sink.rows(record)
        ]
        if partial:
            log.error("rows in the store differ from rows sent", batch=batch.token, offsets=partial[:20])
            self._metrics.unreconciled.labels(signal=self.sink.name).inc(len(partial))

    def _tried_enough(self, task: Task, large: TooLarge) -> bool:
        """Whether it has been tried often enough as it is; a record alone must be sure that it is not the others' load."""
        if task.refusals < self._settings.memory_tries:
            return False
        if len(task.batch.records) > 1:
            return True
        if task.refusals < 4 * self._settings.memory_tries:
            return False
        log.error(
            "a record alone takes more memory than the store has", batch=task.batch.token, reason=large.reason[:300]
        )
        return True

    async def _cut_or_set_apart(self, task: Task, reason: str) -> Outcome:
        """What the store will not take as it is, and has nothing of."""
        if len(task.batch.records) > 1:
            return Outcome.CUT
        await self._set_apart(task.batch, reason)
        return Outcome.STORED

    def _refused_by_a_view(self, batch: Batch, reason: str) -> Outcome:
        """The table has the rows; under other tokens it would have them twice."""
        # A record alone may be there as it was written anew, by whoever tried before.
        if len(batch.records) > 1 or self.sink.normalised(batch.records[0]) is None:
            log.error(
                "a view refuses rows that its table has; its figures are too low",
                batch=batch.token,
                reason=reason[:300],
            )
            self._metrics.unreconciled.labels(signal=self.sink.name).inc(len(batch.records))
        self._confirm(batch)
        return Outcome.STORED

    async def _set_apart(self, batch: Batch, reason: str) -> None:
        record = batch.records[0]
        plain = self.sink.normalised(record)
        if plain is not None:
            try:
                await self._insert(batch.of([plain]), f"{batch.token}-normalised")
            except (Rejected, TooLarge) as again:
                reason = again.reason
            else:
                self._confirm(batch)
                return
        # A broken statement refuses every record, and must not turn all traffic into dead letters.
        await self.sink.try_statement()
        await self._dead_letters.put(record, reason)
        self._metrics.dead_letters.labels(signal=self.sink.name).inc()

    def _confirm(self, batch: Batch) -> None:
        self._metrics.rows.labels(signal=self.sink.name).inc(sum(map(self.sink.rows, batch.records)))
        self._metrics.batches.labels(signal=self.sink.name).inc()
        self._metrics.bytes.labels(signal=self.sink.name).inc(batch.size)


def _rest(batch: Batch, missing: list[Record]) -> str:
    return f"{batch.token}-{missing[0].offset}-{missing[-1].offset}-{len(missing)}"
