"""Calling the listener."""

from collections.abc import Awaitable

from libs.common.bus.metrics import BusMetrics
from libs.common.bus.protocol import RebalanceListener, TopicPartition


class ListenerFailed(Exception):
    """Carries a listener's error past poll's own handling of BusUnavailable, which a failed commit in a listener is too."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def tell(call: Awaitable[None]) -> None:
    """Await a listener's method. Raises ListenerFailed."""
    try:
        await call
    except Exception as error:
        raise ListenerFailed(error) from error


class CountingListener:
    """Counts gaps, then passes everything on, if there is somebody."""

    def __init__(self, listener: RebalanceListener | None, group: str, metrics: BusMetrics) -> None:
        self._listener = listener
        self._group = group
        self._metrics = metrics

    async def on_assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """See RebalanceListener."""
        if self._listener is not None:
            await self._listener.on_assigned(partitions)

    async def on_revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """See RebalanceListener."""
        if self._listener is not None:
            await self._listener.on_revoked(partitions)

    async def on_gap(self, partition: TopicPartition, expected: int, found: int) -> None:
        """See RebalanceListener."""
        # Where the log was lost and begins anew, `found` is less than `expected`, and how many are gone is not known.
        self._metrics.gaps.labels(topic=partition.topic, group=self._group).inc(max(found - expected, 1))
        if self._listener is not None:
            await self._listener.on_gap(partition, expected, found)
