"""Put one batch into the store: retry what may pass, set apart what never will, check what is uncertain."""

import structlog

from libs.common.clock import Clock
from libs.common.errors import Unavailable
from services.ingestion.batch import Batch
from services.ingestion.dead_letters import DeadLetters
from services.ingestion.metrics import WriterMetrics
from services.ingestion.payload import normalised
from services.ingestion.repository import Rejected, TelemetryRepository
from services.ingestion.settings import WriterSettings

log = structlog.get_logger(__name__)


class BatchStore:
    """Keeps trying until every record of a batch is in the store or in dead letters."""

    def __init__(
        self,
        repository: TelemetryRepository,
        dead_letters: DeadLetters,
        settings: WriterSettings,
        clock: Clock,
        metrics: WriterMetrics,
    ) -> None:
        self._repository = repository
        self._dead_letters = dead_letters
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def put(self, batch: Batch, *, uncertain: bool) -> None:
        """Return when the batch is stored. `uncertain`: an earlier try may have stored all or part of it."""
        delay = self._settings.retry_seconds
        while True:
            try:
                started = self._clock.monotonic()
                await self._repository.insert(batch, batch.token)
                self._metrics.insert_seconds.labels(signal=batch.signal.name).observe(self._clock.monotonic() - started)
                if uncertain:
                    await self._fill_holes(batch)
            except Rejected as rejected:
                await self._set_apart(batch, rejected, uncertain=uncertain)
                return
            except Unavailable as error:
                # The insert may have happened although its answer did not arrive.
                uncertain = True
                self._metrics.retries.labels(reason="store").inc()
                log.warning(
                    "store does not answer, trying again", token=batch.token, detail=error.detail, seconds=delay
                )
                await self._clock.sleep(delay)
                delay = min(delay * 2, self._settings.retry_limit_seconds)
            else:
                self._metrics.rows.labels(signal=batch.signal.name).inc(sum(batch.expected_rows.values()))
                self._metrics.batches.labels(signal=batch.signal.name).inc()
                self._metrics.bytes.labels(signal=batch.signal.name).inc(sum(len(r.value) for r in batch.records))
                return

    async def _fill_holes(self, batch: Batch) -> None:
        """Compare rows per offset with what was sent.

        The engine notes a token just before it makes the part visible; killed between the two, it drops the retry of rows it
        never kept. Rare, and without this check silent.
        """
        attempt = 0
        while True:
            stored = await self._repository.stored_rows(batch)
            missing = [r for r in batch.records if batch.expected_rows[r.offset] and not stored.get(r.offset)]
            if not missing:
                break
            attempt += 1
            hole = batch.of(missing)
            log.warning(
                "store dropped rows it did not have, inserting them again", token=batch.token, records=len(missing)
            )
            self._metrics.holes.labels(signal=batch.signal.name).inc(len(missing))
            # A further token each time: this insert can end between the two steps as well.
            await self._repository.insert(hole, f"{hole.token}-{len(missing)}-again-{attempt}")
        partial = [o for o, rows in stored.items() if o in batch.expected_rows and rows != batch.expected_rows[o]]
        if partial:
            log.error("rows in the store differ from rows sent", token=batch.token, offsets=partial[:20])
            self._metrics.unreconciled.labels(signal=batch.signal.name).inc(len(partial))

    async def _set_apart(self, batch: Batch, rejected: Rejected, *, uncertain: bool) -> None:
        """Find the records the store cannot read and let the others through."""
        if len(batch.records) > 1:
            for half in batch.halves():
                await self.put(half, uncertain=uncertain)
            return
        record = batch.records[0]
        plain = normalised(batch.signal, record)
        if plain is not None:
            try:
                await self._repository.insert(batch.of([plain]), f"{batch.token}-normalised")
            except Rejected as again:
                rejected = again
            else:
                return
        # A broken statement refuses every record, and must not turn all traffic into dead letters.
        await self._repository.try_statement(batch.signal)
        await self._dead_letters.put(record, rejected.reason)
        self._metrics.dead_letters.labels(signal=batch.signal.name).inc()
