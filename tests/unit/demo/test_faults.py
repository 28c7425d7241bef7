import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo import faults
from demo.fleet import SERVICES
from demo.jobs import DRILLS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "control.json"


def test_nothing_is_active_without_a_file(path):
    assert faults.active(path) == frozenset()


def test_on_and_off(path):
    assert faults.activate(path, "payment-errors") == {"payment-errors"}
    assert faults.activate(path, "traffic-spike") == {"payment-errors", "traffic-spike"}
    assert faults.active(path) == {"payment-errors", "traffic-spike"}
    assert faults.deactivate(path, "payment-errors") == {"traffic-spike"}
    assert faults.active(path) == {"traffic-spike"}


def test_twice_is_once(path):
    faults.activate(path, "payment-errors")
    faults.activate(path, "payment-errors")
    assert json.loads(path.read_text()) == {"version": 1, "active": ["payment-errors"]}
    faults.deactivate(path, "payment-errors")
    assert faults.deactivate(path, "payment-errors") == frozenset()


@pytest.mark.parametrize("change", [faults.activate, faults.deactivate])
def test_an_unknown_name_changes_nothing_and_says_which_there_are(path, change):
    with pytest.raises(faults.UnknownFault, match="payment-errors"):
        change(path, "payment-error")
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version":2,"active":[]}',
        '{"version":1,"active":["no-such-fault"]}',
        '{"version":1,"active":"payment-errors"}',
        '{"version":1,"active":[],"more":1}',
        "\x00",
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(faults.InvalidControlFile, match="delete it to start over"):
        faults.active(path)
    with pytest.raises(faults.InvalidControlFile):
        faults.activate(path, "payment-errors")
    assert path.read_text() == content


def test_a_directory_is_no_control_file(tmp_path):
    with pytest.raises(faults.InvalidControlFile, match="cannot read"):
        faults.active(tmp_path)


def test_writers_take_turns(path):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: faults.activate(path, name), faults.FAULTS))
    assert faults.active(path) == set(faults.FAULTS)


def test_only_the_owner_reads_it_and_nothing_is_left_over(path):
    faults.activate(path, "payment-errors")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {each.name for each in path.parent.iterdir()} == {"control.json", "control.json.lock"}


def test_the_registry_is_complete():
    assert set(faults.FAULTS) == {
        "checkout-latency",
        "payment-errors",
        "inventory-db-lock",
        "memory-leak-recommendation",
        "bad-deploy-cart",
        "traffic-spike",
        "slow-consumer-notification",
        "network-partition-shipping",
    }
    for fault in faults.FAULTS.values():
        assert fault.service in SERVICES
        assert fault.description("en") != fault.description("ko")
        assert fault.description().endswith(".")
    assert set(DRILLS) <= set(faults.FAULTS)
