"""Load with a memory: every send and its answer, to be compared with what the log holds in the end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from libs.common.bus import Consumer, Producer, Record
from libs.common.errors import BusUnavailable


@dataclass
class History:
    """Each value is sent once. `acked`: value -> (partition, offset). `unknown`: refused or timed out, written or not."""

    acked: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    unknown: set[bytes] = field(default_factory=set)
    longest_stall: float = 0.0

    def check(self, records: list[Record]) -> None:
        """Nothing confirmed is lost or elsewhere, nothing is there twice, nothing comes from nowhere, offsets have no gaps."""
        places = {(record.partition, record.offset): record.value for record in records}
        assert len(places) == len(records), "an offset was read twice"
        written = Counter(places.values())
        lost = [value for value, place in self.acked.items() if places.get(place) != value]
        assert not lost, f"{len(lost)} of {len(self.acked)} confirmed records are not where they should be"
        twice = [value for value, count in written.items() if count > 1]
        assert not twice, f"{len(twice)} records were written twice"
        assert written.keys() <= self.acked.keys() | self.unknown
        for partition in {record.partition for record in records}:
            offsets = sorted(offset for number, offset in places if number == partition)
            assert offsets == list(range(len(offsets)))


@asynccontextmanager
async def load(producer: Producer, topic: str, *, senders: int, size: int) -> AsyncIterator[History]:
    """Send from `senders` tasks until the block ends. A refused value is not tried again."""
    history = History()
    stopping = False

    async def send(sender: int) -> None:
        loop = asyncio.get_running_loop()
        number = 0
        while not stopping:
            value = b"%d/%d " % (sender, number)
            value += value * ((size - len(value)) // len(value))
            number += 1
            started = loop.time()
            try:
                where = await producer.send(topic, value)
            except BusUnavailable:
                history.unknown.add(value)
                await asyncio.sleep(0.02)
            else:
                history.acked[value] = (where.partition, where.offset)
            history.longest_stall = max(history.longest_stall, loop.time() - started)

    async with asyncio.TaskGroup() as tasks:
        for sender in range(senders):
            tasks.create_task(send(sender))
        try:
            yield history
        finally:
            stopping = True


async def read_everything(consumer: Consumer, *, quiet: float = 2.0) -> list[Record]:
    """Until nothing came for `quiet` seconds after the first records."""
    records: list[Record] = []
    async with asyncio.timeout(60):
        while found := await consumer.poll(max_bytes=8 * 2**20, timeout=quiet if records else 20):
            records += [record for batch in found.values() for record in batch]
    return records
