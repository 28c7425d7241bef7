from collections import Counter

import pytest

from libs.common.bus.partitioning import Partitioner

# From UtilsTest.testMurmur2 of Kafka's Java client.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", JAVA)
@pytest.mark.parametrize("partitions", [1, 4, 24])
def test_keys_go_where_the_java_client_sends_them(key: bytes, partitions: int) -> None:
    chosen = Partitioner()(key, list(reversed(range(partitions))), [0])
    assert chosen == (JAVA[key] & 0x7FFFFFFF) % partitions


def test_records_without_a_key_go_round_those_that_have_a_leader() -> None:
    choose = Partitioner()
    assert Counter(choose(None, range(4), [1, 3]) for _ in range(10)) == {1: 5, 3: 5}
    assert Counter(choose(None, range(4), []) for _ in range(8)) == {0: 2, 1: 2, 2: 2, 3: 2}
