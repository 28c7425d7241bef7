"""A skip that cannot hide: it says what is missing, and fails where that part was promised to be there."""

import os
from typing import NoReturn

import pytest


def require(what: str, reason: str) -> NoReturn:
    """Skip the running test because `what` is missing; fail it when AIRIS_REQUIRE (comma list or "all") names `what`."""
    promised = {name.strip() for name in os.environ.get("AIRIS_REQUIRE", "").split(",")}
    if promised & {what, "all"}:
        pytest.fail(f"{what} is required here (AIRIS_REQUIRE) and missing: {reason}", pytrace=False)
    pytest.skip(f"needs {what}: {reason}")
