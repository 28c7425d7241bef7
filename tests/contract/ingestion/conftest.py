"""A receiver on real sockets, with the bus in memory and a key store that can go away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry

from libs.common.auth.api_keys import ApiKey, generate_api_key
from libs.common.bus import BusMetrics, load_declarations
from libs.common.bus.protocol import Record
from libs.common.clock import SystemClock
from libs.common.errors import StoreUnavailable
from libs.common.settings import BusSettings
from libs.common.testing.memory_bus import MemoryBus
from libs.common.web.server import serve
from services.ingestion.otlp import TRACE_SERVICE, ExportService
from services.ingestion.receivers.app import create_app
from services.ingestion.receivers.dependencies import Connections
from services.ingestion.settings import ReceiverSettings


class Keys:
    """A key store of two keys."""

    def __init__(self) -> None:
        key, self.ingest = generate_api_key(tenant="acme", name="test", scopes=["ingest"])
        reader, self.read = generate_api_key(tenant="acme", name="test", scopes=["read"])
        self.key_id = key.key_id
        self._known = {self.ingest: key, self.read: reader}
        self.away = False

    async def lookup(self, presented: str) -> ApiKey | None:
        await self.check()
        return self._known.get(presented)

    async def check(self) -> None:
        if self.away:
            raise StoreUnavailable


@dataclass
class Receiver:
    """A running receiver and ways to talk to it."""

    http_port: int
    grpc_port: int
    bus: MemoryBus
    keys: Keys
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    stop: asyncio.Event = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def headers(self, **more: str) -> dict[str, str]:
        given = {"authorization": f"Bearer {self.keys.ingest}", "content-type": "application/x-protobuf"}
        return given | {name.replace("_", "-"): value for name, value in more.items()}

    async def post(self, body: bytes, service: ExportService = TRACE_SERVICE, **headers: str) -> httpx.Response:
        return await self.http.post(service.path, content=body, headers=self.headers(**headers))

    async def call(
        self,
        message: Message | bytes,
        service: ExportService = TRACE_SERVICE,
        *,
        key: str | None = None,
        **options: Any,
    ) -> Any:
        method = self.channel.unary_unary(service.method)
        body = message if isinstance(message, bytes) else message.SerializeToString()
        metadata = (("authorization", f"Bearer {self.keys.ingest if key is None else key}"),)
        return service.response.FromString(await method(body, metadata=metadata, timeout=20, **options))

    def records(self, service: ExportService = TRACE_SERVICE) -> list[Record]:
        return self.bus.records(service.signal.topic)

    async def metric(self, name: str, **labels: str) -> float:
        page = (await self.http.get("/metrics")).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        for line in page.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(label in series for label in wanted):
                return float(value)
        return 0.0


StartReceiver = Callable[..., AbstractAsyncContextManager[Receiver]]


@pytest.fixture
def start_receiver() -> StartReceiver:
    """Starts a receiver with settings of one's own."""

    @asynccontextmanager
    async def start(bus_settings: BusSettings | None = None, **settings: Any) -> AsyncIterator[Receiver]:
        clock, keys, bus = SystemClock(), Keys(), MemoryBus(settings=bus_settings)
        await bus.ensure_topics(load_declarations())

        @asynccontextmanager
        async def connect(registry: CollectorRegistry) -> AsyncIterator[Connections]:
            async with bus.open_producer(metrics=BusMetrics(registry)) as producer:
                yield Connections(keys, keys.check, producer)

        app = create_app(ReceiverSettings(http_port=0, grpc_port=0, **settings), connect, clock)
        stop = asyncio.Event()
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, "127.0.0.1", 0, stop, listening=listening))
            port = await asyncio.wait_for(listening, 20)
            options = [("grpc.max_send_message_length", -1)]
            async with (
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http,
                grpc.aio.insecure_channel(f"127.0.0.1:{app.rest.state.grpc_port}", options=options) as channel,
            ):
                yield Receiver(port, app.rest.state.grpc_port, bus, keys, http, channel, stop)
            stop.set()

    return start


@pytest.fixture
async def receiver(start_receiver: StartReceiver) -> AsyncIterator[Receiver]:
    """A receiver with default settings."""
    async with start_receiver() as running:
        yield running
