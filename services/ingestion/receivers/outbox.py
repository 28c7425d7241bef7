"""Small payloads leave together while the bus is busy, so that what a record costs is shared by many requests.

Protobuf messages of one type, written one after the other, are one message with the elements of all: the bytes of each
request stay as they came. Nothing waits for company: a payload leaves at once unless an earlier one of the same key is
on its way, and then with everything that arrived until that one is durable (as Nagle's algorithm does for TCP).
"""

import asyncio
from dataclasses import dataclass, field

from libs.common.auth.api_keys import ApiKey
from libs.common.bus.protocol import Producer
from libs.common.errors import BusUnavailable
from services.ingestion.signals import (
    KEY_ID_HEADER,
    RECEIVED_AT_HEADER,
    RECORDS_HEADER,
    REQUEST_ID_HEADER,
    TENANT_HEADER,
)

# A record of this size costs the bus and the writer little more than its bytes; a payload of it gains nothing from company.
_FULL_BYTES = 256 * 1024


@dataclass(slots=True)
class _Parcel:
    """One record in the making. `received_at` is the earliest of its requests'."""

    received_at: int
    payloads: list[bytes] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    records: int = 0
    size: int = 0

    def settle(self, error: Exception | None) -> None:
        for future in self.waiting:
            if not future.done():  # its sender may have left
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


@dataclass(slots=True)
class _Lane:
    """What one key sends of one signal: parcels on their way, and the one that collects meanwhile."""

    under_way: int = 0
    collecting: _Parcel | None = None


class Outbox:
    """Puts payloads on the bus. Close it before its producer."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._lanes: dict[tuple[str, str, str], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(
        self, topic: str, key: ApiKey, payload: bytes, records: int, received_at: int, request_id: str
    ) -> None:
        """Return when the payload is durable on the bus. Raises BusUnavailable, RecordTooLarge."""
        name = (topic, key.tenant, key.key_id)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane()
        parcel = lane.collecting
        if parcel is not None and parcel.size + len(payload) > _FULL_BYTES:
            self._dispatch(name, lane, parcel)
            parcel = None
        if parcel is None:
            parcel = lane.collecting = _Parcel(received_at)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        parcel.payloads.append(payload)
        parcel.request_ids.append(request_id)
        parcel.waiting.append(done)
        parcel.records += records
        parcel.size += len(payload)
        if not lane.under_way or parcel.size >= _FULL_BYTES:
            self._dispatch(name, lane, parcel)
        await done

    async def close(self) -> None:
        """Wait until all that was put is settled; the producer's own timeout bounds it."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _dispatch(self, name: tuple[str, str, str], lane: _Lane, parcel: _Parcel) -> None:
        lane.collecting = None
        lane.under_way += 1
        # A task of its own, because none of the requests in the parcel may take it along when its sender leaves.
        task = asyncio.create_task(self._send(name, lane, parcel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, name: tuple[str, str, str], lane: _Lane, parcel: _Parcel) -> None:
        topic, tenant, key_id = name
        headers = (
            (TENANT_HEADER, tenant.encode()),
            (RECEIVED_AT_HEADER, b"%d" % parcel.received_at),
            (RECORDS_HEADER, b"%d" % parcel.records),
            (KEY_ID_HEADER, key_id.encode()),
            (REQUEST_ID_HEADER, ",".join(parcel.request_ids).encode()),
        )
        payload = parcel.payloads[0] if len(parcel.payloads) == 1 else b"".join(parcel.payloads)
        failure: Exception | None = None
        try:
            await self._producer.send(topic, payload, headers=headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            failure = error
        lane.under_way -= 1
        parcel.settle(failure)
        if lane.under_way:
            return
        if lane.collecting is None:
            self._lanes.pop(name, None)
        elif isinstance(failure, BusUnavailable):
            # It has waited for one timeout already; its senders should not wait for a second one.
            waited, lane.collecting = lane.collecting, None
            self._lanes.pop(name, None)
            waited.settle(failure)
        else:
            self._dispatch(name, lane, lane.collecting)
