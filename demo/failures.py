"""How simulated code fails: exceptions with the name, message and stack trace the real libraries would give."""

from traceback import FrameSummary, StackSummary
from zlib import crc32

_SITE_PACKAGES = "/app/.venv/lib/python3.13/site-packages"


class Rejected(Exception):
    """The answer is a 4xx status: the caller's mistake or the way of the world (declined, out of stock)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AppError(Exception):
    """An exception in simulated code.

    `type` is its qualified class name. `status` is what an HTTP server answers, `rpc_status` what a gRPC server answers
    when it gets that far. `origin` is (file below site-packages or `/app`, function, source line) where it was raised.
    """

    def __init__(
        self,
        type_name: str,
        message: str,
        *,
        status: int = 500,
        rpc_status: str = "INTERNAL",
        origin: tuple[str, str, str],
    ) -> None:
        super().__init__(message)
        self.type = type_name
        self.status = status
        self.rpc_status = rpc_status
        self.recorded = False
        self._origin = origin

    def stacktrace(self, service: str, function: str) -> str:
        """The text Python prints, as seen from `function` of `service`."""
        file, raised_in, source = self._origin
        path = f"/app/{file}" if file.startswith("shop/") else f"{_SITE_PACKAGES}/{file}"
        module = service.replace("-", "_")
        frames = [
            _frame(
                f"{_SITE_PACKAGES}/fastapi/routing.py", "run_endpoint_function", "return await dependant.call(**values)"
            ),
            _frame(f"/app/shop/{module}/handlers.py", function, f"return await {module}.{function}(request)"),
            _frame(path, raised_in, source),
        ]
        summary = StackSummary.from_list(frames)
        return f"Traceback (most recent call last):\n{''.join(summary.format())}{self.type}: {self}\n"


def _frame(path: str, function: str, source: str) -> FrameSummary:
    # The same place has the same line number in every trace.
    line = 20 + crc32(f"{path}:{function}".encode()) % 400
    return FrameSummary(path, line, function, lookup_line=False, line=source)


def connect_timeout(host: str) -> AppError:
    return AppError(
        "httpx.ConnectTimeout",
        f"timed out connecting to {host}",
        status=504,
        rpc_status="UNAVAILABLE",
        origin=("httpx/_transports/default.py", "map_httpcore_exceptions", "raise mapped_exc(message) from exc"),
    )


def connection_refused(host: str) -> AppError:
    return AppError(
        "httpx.ConnectError",
        f"[Errno 111] Connection refused: {host}",
        status=502,
        rpc_status="UNAVAILABLE",
        origin=("httpx/_transports/default.py", "map_httpcore_exceptions", "raise mapped_exc(message) from exc"),
    )


def read_timeout(host: str, seconds: float) -> AppError:
    return AppError(
        "httpx.ReadTimeout",
        f"no answer from {host} within {seconds:g} s",
        status=504,
        rpc_status="DEADLINE_EXCEEDED",
        origin=("httpx/_transports/default.py", "map_httpcore_exceptions", "raise mapped_exc(message) from exc"),
    )


def bad_answer(status: int, url: str) -> AppError:
    return AppError(
        "httpx.HTTPStatusError",
        f"Server error '{status}' for url '{url}'",
        status=502 if status != 503 else 503,
        rpc_status="UNAVAILABLE",
        origin=(
            "httpx/_models.py",
            "raise_for_status",
            "raise HTTPStatusError(message, request=request, response=self)",
        ),
    )


def rpc_failed(code: str, method: str) -> AppError:
    return AppError(
        "grpc.aio.AioRpcError",
        f"{method} ended with {code}",
        status=503 if code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"} else 502,
        rpc_status=code,
        origin=(
            "grpc/aio/_call.py",
            "_raise_for_status",
            "raise _create_rpc_error(await self.initial_metadata(), status)",
        ),
    )
