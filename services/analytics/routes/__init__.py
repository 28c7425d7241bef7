"""HTTP in and out, one router per area. Paths are written whole, because they are also the metrics' labels."""

from fastapi import FastAPI

from services.analytics.routes import attributes, logs, metrics, query, services, traces

DESCRIPTION = """
Reads what was sent: traces, logs, metrics, and rate, errors and durations derived from spans.

**JSON form.** Nothing is rounded. Fields that are 64-bit by type (`..._unix_nano`, `duration_nano`, `as_int`, bucket counts) are
decimal strings, and non-finite doubles are `"NaN"`, `"Infinity"`, `"-Infinity"`, as in OTLP/JSON. Attribute values keep their
type: an int beyond 2^53-1 is `{"$int": "9223372036854775807"}`, a double always has a point or exponent or is
`{"$double": "NaN"}`, bytes are `{"$bytes": "<base64>"}`. Ids are lower-case hex. Zero, an empty string and absent are three things.

**Query language.** `service=checkout http.response.status_code>=500 duration>200ms NOT exists retry "timed out"`: terms
`key op value` with `= != > >= < <= =~ !~`, `exists key`, words and "phrases", joined by AND (or nothing), OR, NOT and
parentheses. `!=` needs the key to be there; `NOT key=value` does not. Regular expressions are RE2 and match anywhere.

**Errors** are RFC 9457 problems; a query that does not parse says at which character and what would.
"""


def install_routes(app: FastAPI) -> None:
    """All routes of the service."""
    for module in (services, traces, logs, metrics, attributes, query):
        app.include_router(module.router)
