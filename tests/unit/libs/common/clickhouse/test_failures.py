"""What ClickHouse's errors become."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError, ProgrammingError

from libs.common.clickhouse.failures import from_clickhouse
from libs.common.errors import AirisError, QueryTimeout, QueryTooExpensive, StoreRejected, StoreUnavailable


@pytest.mark.parametrize(
    ("code", "read", "written"),
    [
        (159, QueryTimeout, StoreUnavailable),
        (241, QueryTooExpensive, StoreUnavailable),
        (396, QueryTooExpensive, StoreUnavailable),
        (202, StoreUnavailable, StoreUnavailable),
        (252, StoreUnavailable, StoreUnavailable),
        (999, StoreUnavailable, StoreUnavailable),
        (60, StoreUnavailable, StoreUnavailable),
        (516, StoreUnavailable, StoreUnavailable),
        (62, StoreRejected, StoreRejected),
        (27, StoreRejected, StoreRejected),
    ],
)
def test_by_code(code: int, read: type[AirisError], written: type[AirisError]) -> None:
    error = DatabaseError("text with secrets", code=code, name="NAME")
    assert type(from_clickhouse(error, write=False)) is read
    assert type(from_clickhouse(error, write=True)) is written
    assert "secrets" not in from_clickhouse(error, write=False).detail


@pytest.mark.parametrize("error", [OperationalError("Network Error"), DatabaseError("HTTP status 502")])
def test_without_a_code_the_store_did_not_answer(error: DatabaseError) -> None:
    assert isinstance(from_clickhouse(error, write=True), StoreUnavailable)


@pytest.mark.parametrize("error", [DataError("bad value"), ProgrammingError("bad call")])
def test_what_the_driver_refuses_is_refused_for_good(error: DatabaseError) -> None:
    rejected = from_clickhouse(error, write=True)
    assert isinstance(rejected, StoreRejected)
    assert rejected.reason == str(error)
