"""Records the store cannot read, kept with the reason; bounded, so that a broken store does not turn all traffic into them."""

from collections import deque

import structlog

from libs.common.bus.protocol import Producer, Record
from libs.common.clock import Clock
from libs.common.errors import BusUnavailable
from libs.common.pipeline.settings import PipelineSettings

log = structlog.get_logger(__name__)

_REASON_BYTES = 2_000


class DeadLetters:
    """Writes to a topic for dead letters, at most `dead_letters_per_minute`; beyond that it holds the partition."""

    def __init__(self, producer: Producer, topic: str, settings: PipelineSettings, clock: Clock) -> None:
        self._producer = producer
        self._topic = topic
        self._settings = settings
        self._clock = clock
        self._recent: deque[float] = deque(maxlen=settings.dead_letters_per_minute)

    async def put(self, record: Record, reason: str) -> None:
        """Return when the record is durably set apart. Its key names its origin, so a replay can be told from a new one."""
        await self._wait_for_allowance()
        origin = f"{record.topic}-{record.partition}-{record.offset}"
        log.error("record set apart: the store cannot read it", origin=origin, reason=reason[:300])
        headers = (*record.headers, ("origin", origin.encode()), ("reason", reason.encode()[:_REASON_BYTES]))
        while True:
            try:
                await self._producer.send(self._topic, record.value, key=origin.encode(), headers=headers)
            except BusUnavailable:
                await self._clock.sleep(self._settings.retry_seconds)
            else:
                return

    async def _wait_for_allowance(self) -> None:
        if self._recent.maxlen and len(self._recent) == self._recent.maxlen:
            wait = self._recent[0] + 60.0 - self._clock.monotonic()
            if wait > 0:
                log.error("too many dead letters, holding the partition; is the schema migrated?", seconds=wait)
                await self._clock.sleep(wait)
        self._recent.append(self._clock.monotonic())
