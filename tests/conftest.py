"""What every test gets: no sockets in unit tests, no settings from the developer's shell, the same randomness each run."""

import os
import random
from pathlib import Path

import hypothesis
import pytest
import pytest_socket

pytest_plugins = [
    "tests.fixtures.engines",
    "tests.fixtures.kafka",
    "tests.fixtures.redis",
    "tests.fixtures.postgres",
    "tests.fixtures.installation",
    "tests.fixtures.containers",  # imports the ones above, so it comes after them
]

UNIT = Path(__file__).parent / "unit"

hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
# In CI a failure must come back when the same commit is run again.
hypothesis.settings.register_profile("ci", deadline=None, max_examples=300, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if UNIT in item.path.parents:
        # Event loops wake themselves through a pair of unix sockets; nothing else is let through.
        pytest_socket.disable_socket(allow_unix_socket=True)


def pytest_runtest_teardown() -> None:
    pytest_socket.enable_socket()


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AIRIS_") and name != "AIRIS_REQUIRE" and not name.startswith("AIRIS_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _same_randomness() -> None:
    random.seed(20_240_229)
