"""The id that Kafka gives a topic when it is made (KIP-516), which aiokafka does not ask for: Metadata, version 12.

Message formats: https://kafka.apache.org/protocol#The_Messages_Metadata
"""

from base64 import urlsafe_b64encode
from io import BytesIO

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from libs.common.bus.kafka.connection import unavailable_when_away
from libs.common.errors import BusUnavailable

_ID_BYTES = 16
_NO_ID = bytes(_ID_BYTES)


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka has no types
    """16 bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_ID_BYTES)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class([(_NO_ID, self._topic, {})], False, False, {})


async def topic_id(admin: AIOKafkaAdminClient, topic: str, broker: int | None) -> str:
    """22 letters, digits, "-" and "_", as Kafka's own tools show it; from this broker, or any. Raises BusUnavailable."""
    with unavailable_when_away():
        try:
            answer = await admin._send_request(_MetadataRequest(topic), broker)  # noqa: SLF001 (no public way to ask)
        except (NotImplementedError, IncompatibleBrokerVersion):
            raise BusUnavailable("Kafka 3.1 or later is needed: older brokers do not tell a topic's id.") from None
        (found,) = answer.topics
        error_code, _name, identity, *_ = found
        if error_code:
            raise for_code(error_code)(topic)
    if identity == _NO_ID:
        raise BusUnavailable(f"Kafka does not tell the id of topic {topic}. Retry later.")
    return urlsafe_b64encode(identity).decode().rstrip("=")
