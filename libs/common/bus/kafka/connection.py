"""How our Kafka clients connect, and Kafka's failures in our terms."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from libs.common.errors import BusUnavailable
from libs.common.settings import BusSettings


def client_options(settings: BusSettings) -> dict[str, Any]:
    """Options that aiokafka's producer, consumer and admin client share."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": "airis",
        "request_timeout_ms": int(settings.timeout_seconds * 1000),
        "retry_backoff_ms": 250,
        "metadata_max_age_ms": 30_000,  # how soon added partitions are noticed
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol in {"SSL", "SASL_SSL"}:
        context = ssl.create_default_context(cafile=settings.ssl_ca_file or None)
        if settings.ssl_certificate_file:
            context.load_cert_chain(settings.ssl_certificate_file, settings.ssl_key_file or None)
        options["ssl_context"] = context
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    return options


@contextmanager
def unavailable_when_away() -> Iterator[None]:
    """Failures of Kafka as BusUnavailable."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise BusUnavailable("The event bus does not answer. Retry later.") from error


@asynccontextmanager
async def admin_client(settings: BusSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client. Raises BusUnavailable."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        with unavailable_when_away():
            async with asyncio.timeout(settings.timeout_seconds):
                await admin.start()
        yield admin
    finally:
        with suppress(KafkaError, OSError):
            await admin.close()


async def stop(kafka: AIOKafkaProducer | AIOKafkaConsumer, timeout: float) -> bool:
    """Stop a client; whether it ended in an orderly way within `timeout` seconds. It is closed in any case.

    aiokafka's own stop() waits for brokers as long as it takes, and lets the cancellation of its tasks out as if it were
    ours, with connections left open; so it gets a task of its own, and what it leaves is closed after it.
    """
    stopping = asyncio.create_task(kafka.stop(), name="kafka-stop")
    try:
        await asyncio.wait([stopping], timeout=timeout)
    finally:
        stopping.cancel()
        await asyncio.wait([stopping], timeout=timeout)
    orderly = stopping.done() and not stopping.cancelled() and stopping.exception() is None
    if not orderly:
        # There is no public way to give up.
        tasks = [
            task
            for task in (
                getattr(getattr(kafka, "_sender", None), "sender_task", None),
                getattr(getattr(kafka, "_fetcher", None), "_fetch_task", None),
                getattr(getattr(kafka, "_coordinator", None), "_coordination_task", None),
                *getattr(getattr(kafka, "_fetcher", None), "_pending_tasks", ()),
            )
            if isinstance(task, asyncio.Task)
        ]
        for task in tasks:
            task.cancel()
        if fail_all := getattr(getattr(kafka, "_message_accumulator", None), "fail_all", None):
            fail_all(KafkaError("the producer has stopped"))
        client = getattr(kafka, "_client", None) or kafka.client
        with suppress(KafkaError, OSError):
            await client.close()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
    return orderly
