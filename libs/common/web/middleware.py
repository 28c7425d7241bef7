"""Plain ASGI middlewares: who is asking (request id, trace) and what came of it (log line, metrics, last-resort 500)."""

import asyncio
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import tracing
from libs.common.clock import Clock
from libs.common.errors import AirisError, ClientClosedRequest, InternalError, ShuttingDown
from libs.common.metrics import Metrics, counter, histogram
from libs.common.web.problems import as_airis_error, problem_response

REQUEST_ID_HEADER = b"x-request-id"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by probes, scrapers and our own services: worth a metric, not a log line or a span.
_QUIET_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/internal/v1/api-keys"})

log = structlog.get_logger(__name__)


class HttpMetrics(Metrics):
    """Every service's HTTP side."""

    requests = counter(
        "airis_http_requests_total",
        "Requests answered, by route template.",
        unit="requests",
        labels=("service", "method", "route", "status"),
    )
    duration = histogram(
        "airis_http_request_duration_seconds",
        "Time from the request's head to the end of the response.",
        unit="seconds",
        labels=("service", "method", "route", "status"),
    )
    errors = counter(
        "airis_http_errors_total",
        "Requests that ended in a problem document, by error id.",
        unit="requests",
        labels=("service", "error"),
    )


def new_request_id() -> str:
    """32 hex digits."""
    return secrets.token_hex(16)


class RequestContextMiddleware:
    """Give the request an id (the caller's X-Request-Id when well-formed), echo it, and continue the caller's trace.

    `untraced_paths` are path prefixes without spans: probes, and OTLP's `/v1/`, which is the write path of traces.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        untraced_paths: tuple[str, ...],
        request_id: Callable[[], str] = new_request_id,
    ) -> None:
        self._app = app
        self._service = service
        self._untraced_paths = untraced_paths
        self._request_id = request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        presented = headers.get(REQUEST_ID_HEADER, b"")
        request_id = presented.decode("ascii") if _REQUEST_ID.fullmatch(presented) else self._request_id()
        scope["airis.request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *(header for header in message.get("headers", ()) if header[0].lower() != REQUEST_ID_HEADER),
                    (REQUEST_ID_HEADER, request_id.encode("ascii")),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(service=self._service, request_id=request_id):
            if scope["path"].startswith(self._untraced_paths):
                with tracing.untraced():
                    await self._app(scope, receive, send_with_id)
                return
            parent = tracing.extract({key.decode("latin-1"): value.decode("latin-1") for key, value in headers.items()})
            method = _method(scope)
            with tracing.span(
                method, kind=SpanKind.SERVER, parent=parent, attributes={"http.request.method": method}
            ) as span:
                scope["airis.span"] = span
                await self._app(scope, receive, send_with_id)


class RequestOutcomeMiddleware:
    """Measure and log each request, and answer 500 when the application raised before it answered."""

    def __init__(self, app: ASGIApp, *, service: str, metrics: HttpMetrics, clock: Clock) -> None:
        self._app = app
        self._service = service
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock.monotonic()
        status = 0
        sent_bytes = 0

        async def watched(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            # Nobody cancels a request but a server whose drain is over; it must be told, and so must the caller.
            scope["airis.error"] = ShuttingDown()
            if not status:
                await _problem(scope, receive, watched)
            raise
        except Exception as error:
            scope["airis.error"] = problem = as_airis_error(error)
            if isinstance(problem, InternalError):
                log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:
                # The head is out; only a broken connection can still tell the caller that the body is not whole.
                raise
            await _problem(scope, receive, watched)
        finally:
            # A handler that sent nothing and raised nothing found its caller gone.
            self._record(scope, status or ClientClosedRequest.status, self._clock.monotonic() - started, sent_bytes)

    def _record(self, scope: Scope, status: int, seconds: float, sent_bytes: int) -> None:
        method, route = _method(scope), route_template(scope)
        labels = (self._service, method, route, str(status))
        self._metrics.requests.labels(*labels).inc()
        self._metrics.duration.labels(*labels).observe(seconds)
        error: AirisError | None = scope.get("airis.error")
        if error is not None:
            self._metrics.errors.labels(self._service, error.id).inc()
        span: Span | None = scope.get("airis.span")
        if span is not None:
            _describe(span, method, route, status, error)
        if scope["path"] in _QUIET_PATHS and status < HTTPStatus.BAD_REQUEST:
            return
        fields: dict[str, Any] = {} if error is None else {"error": error.id, "detail": error.detail}
        write = log.warning if status >= HTTPStatus.INTERNAL_SERVER_ERROR else log.info
        # The query string stays out: it holds what users search for.
        write(
            "request",
            method=method,
            path=scope["path"],
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 3),
            bytes=sent_bytes,
            client=(scope.get("client") or ("",))[0],
            **fields,
        )


async def _problem(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(
        scope["airis.error"], instance=scope["path"], request_id=scope.get("airis.request_id", "")
    )
    await response(scope, receive, send)


def route_template(scope: Scope) -> str:
    """The matched route's full template, as in `/api/v1/traces/{trace_id}`, so that labels stay bounded.

    `mounted` for what a sub-application answered, `unmatched` for what no route did.
    """
    # FastAPI keeps the template of an included router's route, with its prefixes, apart from the route itself.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    template = getattr(route, "path_format", None)
    if isinstance(template, str) and template:
        return template
    return "mounted" if "endpoint" in scope else "unmatched"


def _method(scope: Scope) -> str:
    method = scope.get("method", "GET")
    return method if method in _METHODS else "OTHER"


def _describe(span: Span, method: str, route: str, status: int, error: AirisError | None) -> None:
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))
    if error is not None:
        span.set_attribute("error.type", error.id)
