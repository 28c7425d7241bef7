"""Answers of ClickHouse's HTTP interface: headers, compression, errors before and after the first byte."""

from __future__ import annotations

import asyncio
import json
import secrets
import string
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from embedded.clickhouse_front.compression import Encoder, choose_encoding, encoder
from embedded.clickhouse_front.engine import EngineError, Outcome
from embedded.clickhouse_front.status import http_status

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BREAK_SECONDS = 0.25
_PLAIN = "text/plain; charset=UTF-8"
_NOTHING_READ = Outcome()


class Response:
    """One answer. `version` and `timezone` are the engine's, `content_types` its formats' content types."""

    def __init__(
        self, send: Send, query_id: str, version: str, timezone: str, content_types: Mapping[str, str], accepted: str
    ) -> None:
        self._send, self._version = send, version
        self._content_types = content_types
        self._common = {
            "x-clickhouse-query-id": query_id,
            "x-clickhouse-timezone": timezone,
            "x-clickhouse-server-display-name": "airis-embedded",
        }
        self._encoding = choose_encoding(accepted)
        self._encoder: Encoder | None = None
        self._tag = ""
        self.started = False
        self.bytes_sent = 0

    async def complete(self, outcome: Outcome, name: str | None, pieces: Iterable[bytes], size: int) -> None:
        """A whole answer whose data is known. `name` is the format, None when the statement has no result."""
        headers = self._headers(outcome, name)
        if size and self._encoding is not None:
            await self._start(200, headers)
            for piece in pieces:
                await self.write(piece)
            await self.finish()
            return
        await self._begin(200, headers | {"content-length": str(size)})
        for piece in pieces:
            await self._body(piece, more=True)
        await self._body(b"", more=False)

    async def start_stream(self, name: str) -> None:
        """Begin an answer whose end is not known yet."""
        self._tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        await self._start(200, self._headers(_NOTHING_READ, name) | {"x-clickhouse-exception-tag": self._tag})

    async def write(self, piece: bytes) -> None:
        await self._body(self._encoder.feed(piece) if self._encoder is not None else piece, more=True)

    async def finish(self) -> None:
        await self._body(self._encoder.finish() if self._encoder is not None else b"", more=False)

    async def fail(self, error: EngineError) -> None:
        """The error as ClickHouse words it: with a status while there is still one to choose, else inside the body.

        A body that has begun ends with the tagged exception and without its last chunk, so that no client can take it
        for complete.
        """
        text = f"Code: {error.code}. DB::Exception: {error.message} ({error.name}) (version {self._version} (official build))"
        if not self.started:
            body = f"{text}\n".encode()
            headers = self._headers(_NOTHING_READ, None) | {
                "x-clickhouse-exception-code": str(error.code),
                "content-length": str(len(body)),
            }
            await self._begin(http_status(error.code), headers)
            await self._body(body, more=False)
            return
        message = f"{text}\n".encode()
        footer = f"{len(message)} {self._tag}\r\n__exception__\r\n".encode()
        await self.write(f"\r\n__exception__\r\n{self._tag}\r\n".encode() + message + footer)
        if self._encoder is not None:
            await self._body(self._encoder.finish(), more=True)
        # Some clients drop what they have not read yet when the connection breaks; give them time for the reason.
        await asyncio.sleep(BREAK_SECONDS)

    def _headers(self, outcome: Outcome, name: str | None) -> dict[str, str]:
        headers = {**self._common, "x-clickhouse-summary": _summary(outcome), "content-type": _PLAIN}
        if name is not None:
            headers |= {"content-type": self._content_types.get(name, _PLAIN), "x-clickhouse-format": name}
        return headers

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        if self._encoding is not None:
            headers["content-encoding"] = self._encoding
            self._encoder = encoder(self._encoding)
        await self._begin(status, headers)

    async def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.started = True
        pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _body(self, data: bytes, *, more: bool) -> None:
        if data or not more:
            self.bytes_sent += len(data)
            await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _summary(outcome: Outcome) -> str:
    numbers = {
        "read_rows": outcome.read_rows,
        "read_bytes": outcome.read_bytes,
        "written_rows": outcome.written_rows,
        "written_bytes": outcome.written_bytes,
        "total_rows_to_read": outcome.read_rows,
        "result_rows": outcome.result_rows,
        "result_bytes": len(outcome.data),
        "elapsed_ns": outcome.elapsed_nano,
    }
    return json.dumps({name: str(value) for name, value in numbers.items()}, separators=(",", ":"))
