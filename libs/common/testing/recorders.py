"""Telemetry as values a test can look at."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import orjson
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.common.settings import ServiceSettings, TelemetrySettings
from libs.common.structured_logging import configure_logging
from libs.common.tracing import traced


class LogRecorder:
    """Log lines as written, after redaction and rendering."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text.split("\n") if line]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Lines with this `event`."""
        return [line for line in self.lines if line["event"] == event]


@contextmanager
def recorded_logs(level: Literal["debug", "info", "warning", "error"] = "info") -> Iterator[LogRecorder]:
    """Configure logging into a recorder; logging is as before afterwards."""
    recorder = LogRecorder()
    root = logging.getLogger()
    handlers, threshold = root.handlers[:], root.level
    configure_logging(ServiceSettings(log_level=level, log_format="json"), stream=recorder.stream)
    try:
        yield recorder
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(threshold)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@asynccontextmanager
async def recorded_spans(service: str = "test") -> AsyncIterator[list[ReadableSpan]]:
    """Trace this context into a list, which fills when the block ends."""
    exporter = InMemorySpanExporter()
    spans: list[ReadableSpan] = []
    async with traced(TelemetrySettings(), ServiceSettings(), service, exporter=exporter):
        yield spans
    spans.extend(exporter.get_finished_spans())
