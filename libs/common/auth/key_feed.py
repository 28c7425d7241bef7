"""The gateway's feed of API keys over HTTP, as the services behind it ask for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry

from libs.common.auth.identity import IDENTITY_HEADER, sign_service
from libs.common.auth.key_ring import KeyChanges, KeyRing, KeyRingMetrics, open_key_ring
from libs.common.clock import Clock
from libs.common.errors import UpstreamUnavailable
from libs.common.settings import KeyFeedSettings

PATH = "/internal/v1/api-keys"
AUDIENCE = "api_gateway"


class HttpKeySource:
    """Asks as `service`. Raises UpstreamUnavailable for everything but an answer."""

    def __init__(self, settings: KeyFeedSettings, service: str, clock: Clock, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._service = service
        self._clock = clock
        self._client = client

    async def key_changes(self, epoch: str, version: int) -> KeyChanges:
        answer = await self._send("GET", PATH, params={"epoch": epoch, "version": version})
        try:
            return KeyChanges.parse(answer.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UpstreamUnavailable("The gateway's answer is no list of API keys.") from error

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        if uses:
            await self._send("POST", f"{PATH}/uses", json={"uses": dict(uses)})

    async def _send(self, method: str, path: str, **content: object) -> httpx.Response:
        token = sign_service(self._service, self._settings.secret, self._clock, audience=AUDIENCE)
        try:
            answer = await self._client.request(method, path, headers={IDENTITY_HEADER: token}, **content)  # type: ignore[arg-type]
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise UpstreamUnavailable(f"The gateway does not answer about API keys: {type(error).__name__}.") from error
        return answer


@asynccontextmanager
async def open_key_feed(
    settings: KeyFeedSettings, service: str, clock: Clock, *, registry: CollectorRegistry
) -> AsyncIterator[KeyRing]:
    """A ring that follows the gateway's feed until left."""
    # A proxy from the environment is for the outside, and must not see our tokens.
    async with httpx.AsyncClient(base_url=settings.url, timeout=settings.timeout_seconds, trust_env=False) as client:
        ring = KeyRing(
            HttpKeySource(settings, service, clock, client),
            clock,
            metrics=KeyRingMetrics(registry),
            snapshot=Path(settings.snapshot) if settings.snapshot else None,
            poll_seconds=settings.poll_seconds,
        )
        async with open_key_ring(ring):
            yield ring
