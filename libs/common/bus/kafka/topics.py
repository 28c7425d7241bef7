"""Topics on Kafka."""

import asyncio
from collections.abc import Iterable

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from libs.common.bus.kafka.connection import admin_client, unavailable_when_away
from libs.common.bus.producer import MAX_HEADER_BYTES
from libs.common.bus.topics import TopicDeclaration
from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings

log = structlog.get_logger(__name__)

# What Kafka adds to a record and to its batch, generously.
_BATCH_OVERHEAD_BYTES = 1024


async def declare_topics(settings: BusSettings, declarations: Iterable[TopicDeclaration]) -> None:
    """Make topics that are missing, and add partitions where there are too few.

    The configuration of an existing topic stays: it is the operator's, and Kafka's AlterConfigs, the only form that
    aiokafka has, would reset whatever it does not name. Raises BusUnavailable.
    """
    wanted = {declaration.topic: declaration for declaration in declarations}
    async with admin_client(settings) as admin:
        with unavailable_when_away():
            async with asyncio.timeout(settings.timeout_seconds):
                existing = set(await admin.list_topics())
                await _create(admin, [_new(wanted[topic], settings) for topic in sorted(wanted.keys() - existing)])
                await _grow(admin, [wanted[topic] for topic in sorted(wanted.keys() & existing)])


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    if not topics:
        return
    answer = await admin.create_topics(topics)
    for topic, code, message in answer.topic_errors:
        error = for_code(code)
        if error not in {NoError, TopicAlreadyExistsError}:  # another process may have been faster
            raise BusUnavailable(f"Kafka did not make topic {topic}: {message or error.__name__}")


async def _grow(admin: AIOKafkaAdminClient, declarations: list[TopicDeclaration]) -> None:
    if not declarations:
        return
    found = await admin.describe_topics([declaration.topic for declaration in declarations])
    counts = {topic["topic"]: len(topic["partitions"]) for topic in found}
    for declaration in declarations:
        if counts[declaration.topic] < declaration.partitions:
            log.info("bus_partitions_added", topic=declaration.topic, partitions=declaration.partitions)
            await admin.create_partitions({declaration.topic: NewPartitions(total_count=declaration.partitions)})


def _new(declaration: TopicDeclaration, settings: BusSettings) -> NewTopic:
    return NewTopic(
        declaration.topic,
        declaration.partitions,
        settings.replication,
        topic_configs={
            "cleanup.policy": "delete",
            # The producer's compression is kept as it comes.
            "compression.type": "producer",
            "max.message.bytes": str(declaration.max_record_bytes + MAX_HEADER_BYTES + _BATCH_OVERHEAD_BYTES),
            # A majority holds a record before it is confirmed, so one broker may die with nothing lost.
            "min.insync.replicas": str(settings.replication // 2 + 1),
            "retention.bytes": str(declaration.retention.bytes_per_partition),
            "retention.ms": str(declaration.retention.hours * 3_600_000),
            "unclean.leader.election.enable": "false",
        },
    )
