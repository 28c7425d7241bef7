"""Kafka, simulated: bounded partitions, consumer groups with their own positions, trace context on messages."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind

from demo.calls import ERROR, INFO, WARN, Call, stable
from demo.failures import AppError
from demo.fleet import Instance
from demo.kernel import NANOS, Process, Wake
from demo.latency import Latency
from demo.world import World

PARTITIONS = 2
_RETAINED = 2_000  # messages per partition and group; what a consumer has not read by then is lost, as with real topics
_POLLED = 8
_BROKER = {"server.address": "kafka", "server.port": 9092}
_PRODUCE = Latency(3.0, 15.0)
_FETCH = Latency(1.5, 6.0)


@dataclass(frozen=True, slots=True)
class Message:
    offset: int
    key: str
    body: Mapping[str, Any]
    producer: SpanContext
    baggage: Mapping[str, str]


class Topic:
    """A topic. Consumer groups are named after their service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._offsets = [0] * PARTITIONS
        self._unread: dict[tuple[str, int], deque[Message]] = {}
        self._sleepers: dict[tuple[str, int], Wake] = {}

    def subscribe(self, group: str) -> None:
        """Keep messages for a group from now on."""
        for partition in range(PARTITIONS):
            self._unread[group, partition] = deque(maxlen=_RETAINED)

    def lags(self) -> dict[tuple[str, int], int]:
        """Unread messages by group and partition."""
        return {key: len(unread) for key, unread in self._unread.items()}

    def lag(self, group: str, partition: int) -> int:
        return len(self._unread[group, partition])

    def append(self, key: str, body: Mapping[str, Any], producer: SpanContext, baggage: Mapping[str, str]) -> int:
        """Keep a message for every group; the partition it went to."""
        partition = stable(key, PARTITIONS)
        message = Message(self._offsets[partition], key, body, producer, baggage)
        self._offsets[partition] += 1
        for group in [group for group, number in self._unread if number == partition]:
            self._unread[group, partition].append(message)
            if sleeper := self._sleepers.pop((group, partition), None):
                sleeper()
        return partition

    def end(self, partition: int) -> int:
        """The offset the next message gets."""
        return self._offsets[partition]

    def poll(self, group: str, partition: int) -> Process[list[Message]]:
        """Wait for messages and take up to a batch."""
        unread = self._unread[group, partition]
        while not unread:
            yield lambda wake: self._sleepers.__setitem__((group, partition), wake)
        return [unread.popleft() for _ in range(min(_POLLED, len(unread)))]


def publish(call: Call, topic_name: str, key: str, body: Mapping[str, Any]) -> Process[None]:
    """Send one message."""
    topic = call.world.topics[topic_name]
    labels = _labels(topic, "send", "send") | _BROKER
    with call.operation(
        f"send {topic.name}",
        kind=SpanKind.PRODUCER,
        scope="shop.kafka",
        attributes=labels | {"messaging.kafka.message.key": key, "messaging.client.id": call.instance.pod},
    ) as producer:
        yield from call.pause(_PRODUCE.draw(call.random))
        partition = topic.append(key, body, producer.span.get_span_context(), call.baggage)
        producer.span.set_attribute("messaging.destination.partition.id", str(partition))
        producer.span.set_attribute("messaging.kafka.offset", topic.end(partition) - 1)
        producer.measure("messaging.client.sent.messages", 1, labels)


Consume = Callable[[Call, Mapping[str, Any]], Process[None]]


def consume(world: World, topic: Topic, group: str, partition: int, handle: Consume) -> Process[None]:
    """Read a partition for ever, in the instance it is assigned to. A message that fails is logged and skipped."""
    random = world.random(f"consumer/{topic.name}/{group}/{partition}")
    while True:
        messages = yield from topic.poll(group, partition)
        instances = world.fleet.instances[group]
        yield from _batch(
            world, topic, group, partition, handle, messages, instances[partition % len(instances)], random
        )


def _batch(
    world: World,
    topic: Topic,
    group: str,
    partition: int,
    handle: Consume,
    messages: list[Message],
    instance: Instance,
    random: Random,
) -> Process[None]:
    reader = Call(world, instance, random, {}, Context())
    labels = _labels(topic, "receive", "poll") | _BROKER | {"messaging.consumer.group.name": group}
    with reader.operation(
        f"poll {topic.name}",
        kind=SpanKind.CLIENT,
        scope="shop.kafka",
        attributes=labels
        | {
            "messaging.destination.partition.id": str(partition),
            "messaging.batch.message_count": len(messages),
            "messaging.client.id": instance.pod,
        },
        links=[Link(message.producer) for message in messages],
    ) as receiver:
        yield from reader.pause(_FETCH.draw(random))
        receiver.measure("messaging.client.consumed.messages", len(messages), labels)
        if (lag := topic.lag(group, partition)) > 50:
            receiver.log(WARN, f"consumer group {group} is {lag} messages behind on {topic.name}/{partition}")
    for message in messages:
        yield from _one(world, topic, group, partition, handle, message, instance, random)


def _one(
    world: World,
    topic: Topic,
    group: str,
    partition: int,
    handle: Consume,
    message: Message,
    instance: Instance,
    random: Random,
) -> Process[None]:
    # A trace of its own, linked to the sender's: a consumer may run long after the request has been answered.
    call = Call(world, instance, random, message.baggage, Context())
    labels: dict[str, Any] = _labels(topic, "process", "process") | {"messaging.consumer.group.name": group}
    attributes = labels | {
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": message.offset,
        "messaging.kafka.message.key": message.key,
        **message.baggage,
    }
    instance.served += 1
    started = call.now_ns
    with call.operation(
        f"process {topic.name}",
        kind=SpanKind.CONSUMER,
        scope="shop.kafka",
        attributes=attributes,
        links=[Link(message.producer, {"messaging.kafka.offset": message.offset})],
    ) as consumer:
        try:
            yield from handle(consumer, message.body)
        except AppError as error:
            consumer.fail(error, handle.__name__)
            consumer.log(ERROR, f"giving up on {topic.name}/{partition}@{message.offset}: {error}")
            labels["error.type"] = error.type
        finally:
            consumer.measure("messaging.process.duration", (call.now_ns - started) / NANOS, labels)
        if call.now_ns - started > NANOS:
            consumer.log(
                INFO, f"processed {topic.name}/{partition}@{message.offset} in {(call.now_ns - started) / NANOS:.1f} s"
            )


def _labels(topic: Topic, kind: str, name: str) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic.name,
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
    }
