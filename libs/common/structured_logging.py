"""One log stream: JSON lines (or console colours), one shape for our lines and for libraries' stdlib logging.

Fields: `timestamp` (RFC 3339, UTC), `level`, `event`, `logger`, `service`, `role`, and where they apply `request_id`,
`trace_id`, `span_id`, `exception`. Context goes in with `structlog.contextvars.bind_contextvars`.

Secrets never reach the stream: values under telling keys are replaced, and so are API keys, bearer tokens and URL
passwords inside any text.
"""

import logging
import re
import sys
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from libs.common.settings import ServiceSettings
from libs.common.tracing import current_ids

REDACTED = "[redacted]"
_SECRET_KEYS = re.compile(
    r"(?:^|[_.-])(?:password|passwd|secret|authorization|cookie|api[_-]?key|access_token|credentials)$|^(?:token|identity)$",
    re.IGNORECASE,
)
_SECRET_TEXT = (
    (re.compile(r"\b(airis_[a-z2-7]{12})_[A-Za-z0-9_-]{16,}", re.IGNORECASE), r"\1_" + REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1 " + REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"), REDACTED),
    (re.compile(r"(\w://[^/\s:@]*):[^@/\s]+@"), r"\1:" + REDACTED + "@"),
)


def configure_logging(settings: ServiceSettings, *, stream: TextIO | None = None) -> None:
    """Point structlog and stdlib logging at one stream (stdout). Call once per process; again replaces the first."""
    target = stream or sys.stdout
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # before redaction: a traceback's last line is the error's text
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # These narrate every request and heartbeat at INFO; our access log and metrics already say it once.
    for chatty in ("httpx", "httpcore", "aiokafka", "urllib3", "clickhouse_connect"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    for library in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(library)
        logger.handlers[:] = []
        logger.propagate = True
    logging.captureWarnings(capture=True)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without secrets; a structlog processor."""
    return cast("EventDict", _redacted(event))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {
            key: REDACTED if isinstance(key, str) and _SECRET_KEYS.search(key) else _redacted(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if ids := current_ids():
        event["trace_id"], event["span_id"] = ids
    return event


def _to_json(event: EventDict, **_: Any) -> str:
    try:
        return _dumps(event)
    except TypeError:
        # A log call must not fail for what it logs: integers beyond 64 bits, half surrogate pairs.
        return _dumps({ascii(key)[1:-1]: _writable(value) for key, value in event.items()})


def _writable(value: Any) -> Any:
    try:
        _dumps(value)
    except TypeError:
        return ascii(value)
    return value


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
