"""What ClickHouse's errors mean to a caller. Codes: src/Common/ErrorCodes.cpp of ClickHouse."""

from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, NotSupportedError, ProgrammingError

from libs.common.errors import (
    AirisError,
    QueryTimeout,
    QueryTooExpensive,
    StoreRejected,
    StoreUnavailable,
)

_TIMEOUT = frozenset({159, 160})  # TIMEOUT_EXCEEDED, TOO_SLOW
# TOO_MANY_ROWS, SET_SIZE_LIMIT_EXCEEDED, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES
_EXPENSIVE = frozenset({158, 191, 241, 307, 396})
# 202 too many queries, 203 no free connection, 209/210 network, 216 this query id still runs, 225 no keeper, 236 aborted, 242 read-only replica,
# 243 disk full, 252 too many parts, 254/279/285 replicas away, 319 unknown insert status, 394 cancelled by an operator
# or a shutdown, 425 system error, 999 keeper
_PASSING = frozenset({202, 203, 209, 210, 216, 225, 236, 242, 243, 252, 254, 279, 285, 286, 319, 394, 425, 999})
_REFUSED = frozenset({192, 193, 194, 497, 516})  # unknown user, wrong password, access denied
_NO_SCHEMA = frozenset({60, 81})  # UNKNOWN_TABLE, UNKNOWN_DATABASE

_NARROW = "Narrow the time range or the filter."


def from_clickhouse(error: ClickHouseError, *, write: bool) -> AirisError:
    """The tree's leaf for a driver error. For a write every limit is passing, since the same batch is tried again."""
    code: int | None = getattr(error, "code", None)
    if code is None:
        if isinstance(error, DataError | ProgrammingError | NotSupportedError):
            return _rejected(error, code)
        return StoreUnavailable("The store cannot be reached.")
    if code in _REFUSED:
        return StoreUnavailable(
            "The store refuses our user. Check AIRIS_CLICKHOUSE_USER and AIRIS_CLICKHOUSE_PASSWORD."
        )
    if code in _NO_SCHEMA:
        return StoreUnavailable("The store's schema is not in place. Run 'airis migrate'.", retry_after=5)
    if code in _PASSING or (write and code in _TIMEOUT | _EXPENSIVE):
        return StoreUnavailable("The store is busy or not whole. Try again.", retry_after=2)
    if code in _TIMEOUT:
        return QueryTimeout(f"The query took longer than its time cap. {_NARROW}")
    if code in _EXPENSIVE:
        return QueryTooExpensive(f"The query passes its memory or row cap. {_NARROW}")
    return _rejected(error, code)


def needs_too_much(error: StoreUnavailable) -> bool:
    """Whether a write failed by a cap on memory, rows or bytes, so that a smaller one may pass."""
    return getattr(error.__cause__, "code", None) in _EXPENSIVE


def _rejected(error: ClickHouseError, code: int | None) -> StoreRejected:
    name: str | None = getattr(error, "name", None)
    return StoreRejected(code=code, name=name, reason=str(error))
