"""How our Kafka clients connect, and Kafka's failures in our terms."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

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
