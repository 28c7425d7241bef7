"""The error tree holds its promises."""

import re
from collections.abc import Iterator

import pytest

from libs.common import errors
from libs.common.errors import AirisError, InvalidQuery, RequestError, StoreRejected, StoreUnavailable, Unavailable


def _tree(root: type[AirisError] = AirisError) -> Iterator[type[AirisError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


FAMILIES = {AirisError, RequestError, Unavailable}
CONCRETE = [error for error in _tree() if error not in FAMILIES]


@pytest.mark.parametrize("error", CONCRETE, ids=lambda error: error.__name__)
def test_every_error_has_a_status_a_kebab_case_id_and_a_place_in_the_drawing(error: type[AirisError]) -> None:
    assert 400 <= error.status <= 599
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.id)
    assert error.title
    assert re.search(rf"{error.__name__} +{error.status} {error.id}\b", errors.__doc__ or "")


def test_an_id_belongs_to_one_error() -> None:
    assert len({error.id for error in CONCRETE}) == len(CONCRETE)


def test_a_503_tells_callers_when_to_come_back() -> None:
    assert StoreUnavailable().retry_after == 1
    assert StoreUnavailable(retry_after=7).retry_after == 7


def test_an_error_without_detail_says_its_title() -> None:
    assert StoreUnavailable().detail == str(StoreUnavailable()) == "Store unavailable"


def test_a_query_error_says_where_and_what_was_expected() -> None:
    error = InvalidQuery("Unexpected ')'", position=4, expected="a value")
    assert error.extra == {"position": 4, "expected": "a value"}


def test_the_stores_reason_stays_out_of_the_detail() -> None:
    error = StoreRejected(code=47, name="UNKNOWN_IDENTIFIER", reason="SELECT secret_column")
    assert "secret_column" not in error.detail
    assert error.reason == "SELECT secret_column"
