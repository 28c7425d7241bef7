"""Topics on Redis Streams."""

from collections.abc import Iterable
from uuid import uuid4

from libs.common.bus.redis_streams.connection import Argument, RedisBus
from libs.common.bus.topics import TopicDeclaration
from libs.common.settings import BusSettings

# Records are dropped by whole segments: small enough to be exact, large enough to be cheap.
_SEGMENT_BYTES = 1024**2


async def declare_topics(bus: RedisBus, settings: BusSettings, declarations: Iterable[TopicDeclaration]) -> None:
    """Make topics, or bring existing ones in line. Partitions grow and never shrink. Raises BusUnavailable."""
    await bus.check()
    for declaration in declarations:
        partitions = min(declaration.partitions, settings.partitions)
        retention_bytes = declaration.retention.bytes_per_partition
        if not declaration.groups:
            # Nobody's commits make room here, so the oldest must go before the backlog is full.
            retention_bytes = min(retention_bytes, settings.max_backlog_bytes // (2 * partitions))
        fields: dict[str, Argument] = {
            "groups": " ".join(declaration.groups),
            "retention_ms": declaration.retention.hours * 3_600_000,
            "retention_bytes": retention_bytes,
            "segment_bytes": max(min(_SEGMENT_BYTES, retention_bytes // 16), 1),
        }
        pairs = [part for pair in fields.items() for part in pair]
        await bus.run("declare", declaration.topic, partitions, uuid4().hex, *pairs)
