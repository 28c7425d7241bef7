"""What a worker is, and what its function gets to see of the run it is in."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from libs.common.clock import Clock
from libs.common.workers.schedules import Schedule
from libs.common.workers.store import Acquired, JobStore, Progress


class Interrupted(Exception):
    """Raised by a worker's function that ends before it is done because `run.stopping` was set."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Tries of one run, `limit` in all, with pauses that double from `first_seconds` to `last_seconds`."""

    limit: int = 3
    first_seconds: float = 1.0
    last_seconds: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds after so many failures in a row, the first being 1."""
        return min(self.first_seconds * 2.0 ** min(failures - 1, 30), self.last_seconds)


@dataclass(frozen=True, slots=True)
class Worker:
    """A named function that polls, consumes or runs on a schedule.

    `schedule` None: it runs until it is stopped, and ending before is a failure. `lease_seconds` is how long a holder that
    died blocks others; 0: no lease, every process does it for itself. `drain_seconds` is what a stop or a cancel leaves
    it to finish or to save a checkpoint. `name` is a metric label and the lease's key: lower-case words and hyphens.
    """

    name: str
    work: "Callable[[Run], Awaitable[None]]"
    schedule: Schedule | None = None
    lease_seconds: float = 15.0
    drain_seconds: float = 10.0
    retries: Retries = field(default_factory=Retries)


class Run:
    """One run. `slot_ns` is the moment it is for, `fence` the token its writes carry (0 without a lease).

    `checkpoint` is what an earlier, unfinished run has saved, "" at first. When `stopping` is set, finish or save and
    raise Interrupted within the worker's drain_seconds; `cancelled` tells that somebody asked for it, so that no later run
    goes on.
    """

    def __init__(self, slot_ns: int, clock: Clock, store: JobStore | None, acquired: Acquired | None) -> None:
        self.slot_ns = slot_ns
        self.fence = acquired.lease.fence if acquired else 0
        self.checkpoint = acquired.checkpoint if acquired else ""
        self.stopping = asyncio.Event()
        self.cancelled = False
        self.progress: Progress | None = None
        self._clock = clock
        self._store = store
        self._acquired = acquired
        self._first: tuple[float, float] | None = None

    def report(self, done: float, total: float = 0.0, message: str = "") -> None:
        """Say how far it is. Free to call often; others see it with the next renewal of the lease."""
        now = self._clock.monotonic()
        if self._first is None:
            self._first = now, done
        since, base = self._first
        speed = (done - base) / (now - since) if now > since else 0.0
        self.progress = Progress(done, total, message, max(total - done, 0.0) / speed if speed > 0 and total else None)

    async def save(self, checkpoint: str) -> None:
        """Keep what a later run goes on from. Raises LeaseLost: then nothing more may be written. Raises CacheUnavailable."""
        if self._store is None or self._acquired is None:
            raise ValueError("a worker without a lease has nowhere to save a checkpoint")
        await self._store.save(self._acquired.lease, checkpoint)
        self.checkpoint = checkpoint

    def cancel(self) -> None:
        """Ask it to end for good."""
        self.cancelled = True
        self.stopping.set()


def new_holder() -> str:
    """A name for a runner that nobody else has and a human can place: host, process, something random."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
