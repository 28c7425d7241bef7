"""Entity tags and the versions they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.control_store import etag, require_version, version_of
from libs.common.errors import Conflict, InvalidRequest


@given(st.integers(min_value=0, max_value=10**17))
def test_a_version_comes_back_from_its_tag(version: int) -> None:
    assert version_of(f" {etag(version)} ") == version
    require_version(version, version_of(etag(version)), "The rule")


@pytest.mark.parametrize("tag", [None, "*", " * "])
def test_who_names_no_version_expects_none(tag: str | None) -> None:
    assert version_of(tag) is None
    require_version(7, None, "The rule")


@pytest.mark.parametrize("tag", ["", "7", 'W/"7"', '"7", "8"', '"-7"', '"x"', '""', '"' + "9" * 40 + '"'])
def test_what_is_no_tag_of_ours_is_refused(tag: str) -> None:
    with pytest.raises(InvalidRequest, match="If-Match"):
        version_of(tag)


def test_an_old_version_is_refused_with_the_present_one() -> None:
    with pytest.raises(Conflict, match="The rule was changed") as raised:
        require_version(8, 7, "The rule")
    assert raised.value.extra == {"current_version": 8}
