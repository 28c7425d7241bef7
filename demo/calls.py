"""What simulated code does in the course of a request: compute, log, call other services over HTTP and gRPC.

Each leaves the telemetry its instrumentation would leave, by the semantic conventions. Spans begin and end at simulated
time, in the order things happen.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from zlib import crc32

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)

from demo.failures import (
    AppError,
    Rejected,
    bad_answer,
    connect_timeout,
    connection_refused,
    read_timeout,
    rpc_failed,
)
from demo.fleet import Instance
from demo.kernel import NANOS, Cancelled, Process, TimedOut
from demo.latency import Latency
from demo.world import World

DEBUG, INFO, WARN, ERROR = (SeverityNumber.DEBUG, SeverityNumber.INFO, SeverityNumber.WARN, SeverityNumber.ERROR)
_NETWORK = Latency(0.25, 1.2)
_CONNECT_TIMEOUT = 1.0
_RETRIED_STATUS = {502, 503, 504}
_RETRIED_RPC = {"UNAVAILABLE"}
# Which gRPC codes are the server's fault (semantic conventions for gRPC).
_RPC_SERVER_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


@dataclass(slots=True)
class Reply:
    """`code` is the gRPC status code's name; HTTP callers look at `status`."""

    status: int
    body: Mapping[str, Any]
    code: str = "OK"


class Call:
    """One thread of simulated work in an instance, with its place in a trace."""

    __slots__ = ("baggage", "context", "instance", "random", "world")

    def __init__(
        self, world: World, instance: Instance, random: Random, baggage: Mapping[str, str], context: Context
    ) -> None:
        self.world = world
        self.instance = instance
        self.random = random
        self.baggage = baggage
        self.context = context

    @property
    def span(self) -> Span:
        return get_current_span(self.context)

    @property
    def now_ns(self) -> int:
        return self.world.kernel.now_ns

    def note(self, **attributes: Any) -> None:
        """Set `shop.<name>` attributes on the current span, underscores read as dots."""
        for name, value in attributes.items():
            self.span.set_attribute(f"shop.{name.replace('_', '.')}", value)

    def log(self, severity: SeverityNumber, body: Any, attributes: Mapping[str, Any] | None = None) -> None:
        self.instance.telemetry.logger.emit(
            timestamp=self.now_ns,
            observed_timestamp=self.now_ns,
            context=self.context,
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=dict(attributes) if attributes else None,
        )

    def measure(self, name: str, value: float, attributes: Mapping[str, Any]) -> None:
        """Measure here, so that the span may become the exemplar."""
        self.instance.telemetry.record(name, value, attributes, self.context)

    def pause(self, seconds: float) -> Process[None]:
        return self.world.kernel.pause(seconds)

    def compute(self, latency: Latency) -> Process[None]:
        """Use the processor: longer the busier the machine is, and when garbage collection stops the process."""
        seconds = latency.draw(self.random) * self.world.slowdown()
        pressure = self.instance.memory_pressure
        if pressure > 0.15 and self.random.random() < 0.5 * pressure:
            pause = 0.04 + 0.9 * pressure**2 * self.random.random()
            seconds += pause
            self.instance.full_collections += 1
            self.instance.telemetry.record("shop.gc.pause.duration", pause, {"cpython.gc.generation": 2})
            if pause > 0.2:
                self.log(
                    WARN,
                    f"full garbage collection took {pause * 1000:.0f} ms, heap {self.instance.memory_mib:.0f} MiB "
                    f"of {self.instance.service.memory_limit_mib} MiB",
                )
        yield from self.pause(seconds)

    @contextmanager
    def operation(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        scope: str = "",
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator["Call"]:
        """A span around the block. An AppError leaving it makes it fail; where it is seen first it is recorded."""
        tracer = self.instance.telemetry.tracer(scope or f"shop.{self.instance.name}")
        span = tracer.start_span(
            name,
            context=self.context,
            kind=kind,
            attributes=dict(attributes) if attributes else None,
            links=links,
            start_time=self.now_ns,
        )
        inner = Call(self.world, self.instance, self.random, self.baggage, set_span_in_context(span, self.context))
        try:
            yield inner
        except AppError as error:
            inner.fail(error, name)
            raise
        except Cancelled:
            span.set_attribute("error.type", "asyncio.CancelledError")
            span.set_status(Status(StatusCode.ERROR, "cancelled: the caller has gone"))
            raise
        finally:
            span.end(self.now_ns)

    def fail(self, error: AppError, function: str) -> None:
        """Mark the current span failed; record the exception on the innermost span only."""
        self.span.set_attribute("error.type", error.type)
        self.span.set_status(Status(StatusCode.ERROR, str(error)))
        if not error.recorded:
            error.recorded = True
            self.span.record_exception(error, self._exception(error, function), timestamp=self.now_ns)

    def log_exception(self, message: str, error: AppError, function: str) -> None:
        self.log(ERROR, message, self._exception(error, function))

    def _exception(self, error: AppError, function: str) -> dict[str, Any]:
        name = "".join(c if c.isalnum() else "_" for c in function).strip("_").lower()
        return {
            "exception.type": error.type,
            "exception.message": str(error),
            "exception.stacktrace": error.stacktrace(self.instance.name, name),
        }

    def http(
        self, service: str, endpoint: str, *, timeout: float = 3.0, retries: int = 1, **params: Any
    ) -> Process[Mapping[str, Any]]:
        """The body another service answers `METHOD /route/{param}` with. Raises Rejected on 4xx, AppError otherwise."""
        method, route = endpoint.split(" ", 1)
        port = self.world.fleet.instances[service][0].service.port
        url = f"http://{service}:{port}{route.format_map(params)}"
        for attempt in range(retries + 1):
            try:
                reply = yield from self._http_attempt(service, endpoint, method, route, url, attempt, timeout, params)
            except AppError as error:
                failure = error
            else:
                if reply.status < 400:
                    return reply.body
                if reply.status < 500:
                    raise Rejected(reply.status, str(reply.body.get("detail", "")))
                failure = bad_answer(reply.status, url)
                if reply.status not in _RETRIED_STATUS:
                    raise failure
            if attempt < retries:
                self.log(WARN, f"{method} {url} failed ({failure.type}), attempt {attempt + 2} of {retries + 1}")
                yield from self.pause(0.05 * 2**attempt * (1 + self.random.random()))
        raise failure

    def _http_attempt(
        self,
        service: str,
        endpoint: str,
        method: str,
        route: str,
        url: str,
        attempt: int,
        timeout: float,
        params: Mapping[str, Any],
    ) -> Process[Reply]:
        callee = self.world.fleet.pick(service, self.random)
        measured = {
            "http.request.method": method,
            "server.address": service,
            "server.port": callee.service.port,
        }
        attributes = measured | {"url.full": url, "url.template": route, "network.protocol.version": "1.1"}
        if attempt:
            attributes["http.request.resend_count"] = attempt
        started = self.now_ns
        with self.operation(
            f"{method} {route}", kind=SpanKind.CLIENT, scope="shop.http.client", attributes=attributes
        ) as client:
            try:
                reply = yield from client.connect(callee, timeout, serve_http, endpoint, params)
            except AppError as error:
                measured["error.type"] = error.type
                raise
            else:
                client.span.set_attribute("http.response.status_code", reply.status)
                measured["http.response.status_code"] = reply.status
                if reply.status >= 400:
                    measured["error.type"] = str(reply.status)
                    client.span.set_attribute("error.type", str(reply.status))
                    client.span.set_status(StatusCode.ERROR)
                return reply
            finally:
                client.measure("http.client.request.duration", (self.now_ns - started) / NANOS, measured)

    def rpc(
        self, service: str, method: str, *, timeout: float = 1.0, retries: int = 1, **params: Any
    ) -> Process[Mapping[str, Any]]:
        """The message another service answers a gRPC `package.Service/Method` with. Raises AppError."""
        for attempt in range(retries + 1):
            try:
                reply = yield from self._rpc_attempt(service, method, timeout, params)
            except AppError as error:
                failure = error
            else:
                if reply.code == "OK":
                    return reply.body
                failure = rpc_failed(reply.code, method)
                if reply.code not in _RETRIED_RPC:
                    raise failure
            if attempt < retries:
                yield from self.pause(0.02 * (1 + self.random.random()))
        raise failure

    def _rpc_attempt(self, service: str, method: str, timeout: float, params: Mapping[str, Any]) -> Process[Reply]:
        callee = self.world.fleet.pick(service, self.random)
        measured = {
            "rpc.system.name": "grpc",
            "rpc.method": method,
            "server.address": service,
            "server.port": callee.service.port,
        }
        started, code = self.now_ns, "CANCELLED"
        with self.operation(method, kind=SpanKind.CLIENT, scope="shop.rpc.client", attributes=measured) as client:
            try:
                reply = yield from client.connect(callee, timeout, serve_rpc, method, params)
                code = reply.code
                if code != "OK":
                    client.span.set_attribute("error.type", code)
                    client.span.set_status(StatusCode.ERROR)
            except AppError as error:
                code = error.rpc_status
                raise
            finally:
                client.span.set_attribute("rpc.response.status_code", code)
                outcome = {"rpc.response.status_code": code} | ({} if code == "OK" else {"error.type": code})
                client.measure("rpc.client.call.duration", (self.now_ns - started) / NANOS, measured | outcome)
        return reply

    def connect(
        self, callee: Instance, timeout: float, serve: Any, endpoint: str, params: Mapping[str, Any]
    ) -> Process[Reply]:
        """Through the network and back, within the timeout. Raises AppError when nobody answers."""
        if not self.world.reachable(self.instance, callee, self.random):
            yield from self.pause(_CONNECT_TIMEOUT)
            raise connect_timeout(f"{callee.name}:{callee.service.port}")
        yield from self.pause(_NETWORK.draw(self.random))
        if not callee.ready:
            raise connection_refused(f"{callee.name}:{callee.service.port}")
        server = Call(self.world, callee, self.random, self.baggage, _remote(self.span.get_span_context()))
        try:
            reply: Reply = yield from self.world.kernel.within(timeout, serve(server, endpoint, params))
        except TimedOut:
            raise read_timeout(f"{callee.name}:{callee.service.port}", timeout) from None
        yield from self.pause(_NETWORK.draw(self.random))
        return reply


def serve_http(
    call: Call, endpoint: str, params: Mapping[str, Any], edge: Mapping[str, Any] | None = None
) -> Process[Reply]:
    """Answer an HTTP request. `edge` are attributes of a request from outside the shop."""
    method, route = endpoint.split(" ", 1)
    measured: dict[str, Any] = {
        "http.request.method": method,
        "http.route": route,
        "url.scheme": "https" if edge else "http",
    }
    attributes = measured | {
        "url.path": route.format_map(params),
        "network.protocol.version": "2" if edge else "1.1",
        "server.address": call.instance.name,
        "server.port": call.instance.service.port,
        **call.baggage,
        **(edge or {}),
    }
    active = {key: measured[key] for key in ("http.request.method", "url.scheme")}
    handler = call.world.endpoints[call.instance.name, endpoint]
    telemetry, started = call.instance.telemetry, call.now_ns
    reply: Reply | None = None
    call.instance.served += 1
    telemetry.record("http.server.active_requests", 1, active)
    with call.operation(endpoint, kind=SpanKind.SERVER, scope="shop.http.server", attributes=attributes) as server:
        try:
            reply = Reply(200, (yield from handler(server, **params)))
        except Rejected as rejection:
            reply = Reply(rejection.status, {"detail": str(rejection)})
        except AppError as error:
            server.fail(error, handler.__name__)
            server.log_exception(f"{endpoint} failed: {error}", error, handler.__name__)
            measured["error.type"] = error.type
            reply = Reply(error.status, {"detail": str(error)})
        except Cancelled:
            measured["error.type"] = "asyncio.CancelledError"
            reply = Reply(499, {})
            raise
        finally:
            telemetry.record("http.server.active_requests", -1, active)
            if reply is not None:  # None when the simulation ends here
                server.span.set_attribute("http.response.status_code", reply.status)
                measured["http.response.status_code"] = reply.status
                server.measure("http.server.request.duration", (server.now_ns - started) / NANOS, measured)
    return reply


def serve_rpc(call: Call, method: str, params: Mapping[str, Any]) -> Process[Reply]:
    """Answer a gRPC call."""
    measured: dict[str, Any] = {"rpc.system.name": "grpc", "rpc.method": method}
    attributes = measured | {
        "server.address": call.instance.name,
        "server.port": call.instance.service.port,
        **call.baggage,
    }
    handler = call.world.endpoints[call.instance.name, method]
    started = call.now_ns
    call.instance.served += 1
    code = "CANCELLED"
    with call.operation(method, kind=SpanKind.SERVER, scope="shop.rpc.server", attributes=attributes) as server:
        try:
            body = yield from handler(server, **params)
            code = "OK"
        except AppError as error:
            code, body = error.rpc_status, {}
            server.fail(error, handler.__name__)
            server.log_exception(f"{method} failed: {error}", error, handler.__name__)
        finally:
            server.span.set_attribute("rpc.response.status_code", code)
            measured["rpc.response.status_code"] = code
            if code in _RPC_SERVER_ERRORS:
                measured["error.type"] = code
            server.measure("rpc.server.call.duration", (server.now_ns - started) / NANOS, measured)
    return Reply(200, body, code)


def _remote(parent: SpanContext) -> Context:
    """The parent as the callee reads it from the `traceparent` header."""
    remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=parent.trace_flags)
    return set_span_in_context(NonRecordingSpan(remote), Context())


def stable(text: str, modulo: int) -> int:
    """A number below `modulo` that belongs to the text, in every run."""
    return crc32(text.encode()) % modulo
