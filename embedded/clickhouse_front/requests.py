"""What a request of ClickHouse's HTTP interface asks for (https://clickhouse.com/docs/interfaces/http)."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from embedded.clickhouse_front.engine import EngineError

# Parameters that speak to the HTTP server; every other one is a setting of the statement.
_NOT_SETTINGS = frozenset(
    {
        "query",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "user",
        "password",
        "compress",
        "decompress",
        "wait_end_of_query",
        "buffer_size",
        "stacktrace",
        "role",
        "client_protocol_version",
        "close_session",
        "log_comment",
        "http_write_exception_in_output_format",
        "enable_http_compression",
        "http_zlib_compression_level",
        "add_http_cors_header",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "http_wait_end_of_query",
        "http_response_buffer_size",
        "http_make_head_request",
    }
)
_TABLE_SUFFIXES = ("_format", "_structure", "_types")
_TRUE = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str


class Request:
    """Headers and parameters of one request. Form fields of a multipart body are added as they are read."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self.method: str = scope["method"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._url = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.params: dict[str, str] = dict(self._url)
        self.query_id = self.params.get("query_id") or self.headers.get("x-clickhouse-query-id") or str(uuid.uuid4())

    @property
    def database(self) -> str | None:
        return self.params.get("database") or self.headers.get("x-clickhouse-database") or None

    @property
    def default_format(self) -> str:
        """Raises EngineError for what cannot be a format's name, since it becomes part of the statement."""
        name = self.params.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"
        if not name.isidentifier():
            raise EngineError(73, "UNKNOWN_FORMAT", f"Unknown format {name}")
        return name

    @property
    def content_encoding(self) -> str:
        return self.headers.get("content-encoding", "").strip().lower()

    @property
    def is_form(self) -> bool:
        return self.headers.get("content-type", "").lower().startswith("multipart/form-data")

    @property
    def waits_for_end(self) -> bool:
        return self.params.get("wait_end_of_query") in _TRUE or self.params.get("http_wait_end_of_query") in _TRUE

    @property
    def accepted_encodings(self) -> str:
        """Content codings the response may have; compression must be asked for with a parameter, as in ClickHouse."""
        return self.headers.get("accept-encoding", "") if self.params.get("enable_http_compression") in _TRUE else ""

    @property
    def session_id(self) -> str | None:
        return self.params.get("session_id") or None

    @property
    def session_timeout(self) -> int:
        """Seconds. Raises EngineError when it is no number between 1 and 3600."""
        text = self.params.get("session_timeout", "60")
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3600):
            raise EngineError(
                374, "INVALID_SESSION_TIMEOUT", f"Session timeout '{text}' is not between 1 and 3600 seconds"
            )
        return int(text)

    @property
    def session_must_exist(self) -> bool:
        return self.params.get("session_check") in _TRUE

    @property
    def parameters(self) -> dict[str, str]:
        return {name.removeprefix("param_"): value for name, value in self.params.items() if name.startswith("param_")}

    def settings(self, tables: frozenset[str]) -> dict[str, str]:
        """Settings of the statement. Raises EngineError for a name that is none; `tables` are those of external data."""
        settings = {}
        for name, value in self._url.items():
            described = name.endswith(_TABLE_SUFFIXES) and name.rpartition("_")[0] in tables
            if name in _NOT_SETTINGS or described or name.startswith("param_"):
                continue
            if not name.isidentifier():
                raise EngineError(115, "UNKNOWN_SETTING", f"Unknown setting {name}")
            settings[name] = value
        if self.method == "GET" and "readonly" not in settings:
            settings["readonly"] = "2"  # as ClickHouse does: a link must not change data
        return settings

    def credentials(self) -> Credentials:
        """Who asks. Raises EngineError for an unreadable Authorization header."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError) as error:
                raise EngineError(516, "AUTHENTICATION_FAILED", "Invalid HTTP Basic authorization") from error
            return Credentials(user or "default", password)
        return Credentials(
            self.headers.get("x-clickhouse-user") or self.params.get("user") or "default",
            self.headers.get("x-clickhouse-key") or self.params.get("password") or "",
        )

    def refuse_unsupported(self) -> None:
        """Raises EngineError for what ClickHouse's server can do and this front does not."""
        if self.params.get("compress") in _TRUE or self.params.get("decompress") in _TRUE:
            detail = "ClickHouse's own block compression is not served here: use Content-Encoding and enable_http_compression"
            raise EngineError(48, "NOT_IMPLEMENTED", detail)
