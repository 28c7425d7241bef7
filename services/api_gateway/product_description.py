"""One OpenAPI document for the whole product: the gateway's own, and what the services behind it say of themselves."""

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from libs.common.clock import Clock
from services.api_gateway.openapi_merge import merge_service, otlp_paths, with_conventions
from services.api_gateway.upstreams import ROUTES, Service, Upstream

FRESH_SECONDS = 60.0
# A service that is starting should appear soon after it has started.
RETRY_SECONDS = 5.0
FETCH_TIMEOUT_SECONDS = 2.0
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024

Document = dict[str, Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Fetched:
    document: Document | None
    again_at: float


class ProductDescription:
    """Fetches the services' documents when asked, keeps them for a minute, and does without those that are away."""

    def __init__(self, own: Callable[[], Document], upstreams: Mapping[Service, Upstream], clock: Clock) -> None:
        self._own = own
        self._upstreams = upstreams
        self._clock = clock
        self._fetched: dict[Service, _Fetched] = {}
        self._lock = asyncio.Lock()
        self._rendered = b""

    async def document(self) -> bytes:
        """The merged document as JSON."""
        async with self._lock:
            now = self._clock.monotonic()
            due = [service for service in _documented() if now >= self._again_at(service)]
            if due:
                documents = await asyncio.gather(*(self._fetch(self._upstreams[service]) for service in due))
                for service, document in zip(due, documents, strict=True):
                    self._keep(service, document, now)
            if due or not self._rendered:
                self._rendered = orjson.dumps(self._merge())
            return self._rendered

    def _again_at(self, service: Service) -> float:
        fetched = self._fetched.get(service)
        return fetched.again_at if fetched else float("-inf")

    def _keep(self, service: Service, document: Document | None, now: float) -> None:
        if document is not None:
            self._fetched[service] = _Fetched(document, now + FRESH_SECONDS)
        else:
            # An older description of a service that is away is still a description of it.
            old = self._fetched.get(service)
            self._fetched[service] = _Fetched(old.document if old else None, now + RETRY_SECONDS)

    async def _fetch(self, upstream: Upstream) -> Document | None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                return _parsed(await _read(upstream))
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            log.info("no description", upstream=upstream.service, error=type(error).__name__)
            return None

    def _merge(self) -> Document:
        merged = deepcopy(self._own())
        merged.setdefault("paths", {}).update(deepcopy(otlp_paths()))
        silent: list[str] = []
        for service in _documented():
            document = self._fetched[service].document
            if document is None:
                silent.append(service)
            else:
                merge_service(merged, service, document)
        return with_conventions(merged, silent)


def _documented() -> list[Service]:
    """Each documented service once, in the order of the routes."""
    return list(dict.fromkeys(route.service for route in ROUTES if route.documented))


async def _read(upstream: Upstream) -> bytes:
    async with upstream.client.stream("GET", upstream.base_url.join("/openapi.json")) as response:
        response.raise_for_status()
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError("document too large")
    return bytes(body)


def _parsed(body: bytes) -> Document:
    document = orjson.loads(body)
    if not (isinstance(document, dict) and isinstance(document.get("paths"), dict)):
        raise ValueError("not an OpenAPI document")  # noqa: TRY004 - one kind of failure for whatever is wrong with it
    return document
