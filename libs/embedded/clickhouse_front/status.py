"""HTTP status of an exception code and content type of a format, as ClickHouse's own server maps them."""

from __future__ import annotations

_STATUS = {
    401: {194},
    403: {192, 193, 516, 497, 195},
    400: {6, 26, 27, 28, 29, 36, 38, 41, 43, 53, 62, 69, 70, 72, 117, 130, 131, 271, 372, 373, 386, 456, 457, 511},
    404: {46, 47, 48, 50, 56, 60, 63, 73, 75, 81, 115, 42, 44, 512},
    413: {57, 1001},
    501: {49_000},
    503: {202, 209, 76},
    408: {159},
}  # fmt: skip
_BY_CODE = {code: status for status, codes in _STATUS.items() for code in codes}
_TYPES = {
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "XML": "application/xml; charset=UTF-8",
}


def http_status(code: int) -> int:
    return _BY_CODE.get(code, 500)


def content_type(name: str | None) -> str:
    if name is None:
        return "text/plain; charset=UTF-8"
    if name in _TYPES:
        return _TYPES[name]
    if "EachRow" in name and "JSON" in name:
        return "application/x-ndjson; charset=UTF-8"
    if name.startswith("JSON"):
        return "application/json; charset=UTF-8"
    if name.startswith(("TabSeparated", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    return "application/octet-stream"
