"""What jobs share between processes: leases with fencing tokens, the last run, progress, cancel requests, living members.

Two stores have the same suite (tests/contract/workers): Redis (redis_store.py) and memory (libs/common/testing).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from libs.common.workers.schedules import LastRun

# What became of a run. "interrupted" by a stop before it was done: it goes on from its checkpoint later.
Outcome = Literal["ok", "failed", "cancelled", "interrupted", "lost"]


class LeaseLost(Exception):
    """Somebody else may hold the lease by now. What was begun under the old fencing token must not be written any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run `job` until it expires or is released.

    `fence` grows with each acquisition, also when the store has lost its data; whatever a job writes carries it, so that
    a holder that stood still for too long is refused (libs/common/workers/fencing.py).
    """

    job: str
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `total` 0 means unknown, `eta_seconds` None as well."""

    done: float = 0.0
    total: float = 0.0
    message: str = ""
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Acquired:
    """A lease, and what earlier runs left: the last one that ended, and the checkpoint of one that did not."""

    lease: Lease
    last: LastRun | None
    checkpoint: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What anybody may know about a job. `holder` is empty when nobody holds the lease; times are unix nanoseconds."""

    job: str
    holder: str = ""
    cancelling: bool = False
    progress: Progress | None = None
    last: LastRun | None = None
    outcome: Outcome | None = None
    finished_ns: int | None = None


class JobStore(Protocol):
    """Every method raises CacheUnavailable when the store does not answer.

    A call that failed may have been carried out. All may be repeated by the same caller.
    """

    async def acquire(self, job: str, holder: str, seconds: float) -> Acquired | None:
        """None when somebody else holds it. `holder` is unique to the runner that asks."""
        ...

    async def renew(self, lease: Lease, seconds: float, progress: Progress | None) -> bool:
        """Hold it for `seconds` more and tell how far it is; whether a cancel was requested. Raises LeaseLost."""
        ...

    async def save(self, lease: Lease, checkpoint: str) -> None:
        """What a later run goes on from. Raises LeaseLost when somebody else has taken over."""
        ...

    async def finish(self, lease: Lease, slot_ns: int, outcome: Outcome, now_ns: int) -> None:
        """Record the end of a run, forget its cancel request and, unless it failed, its checkpoint.

        Works after the lease has run out, too. Raises LeaseLost when somebody else has taken over.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back; no error when it is not ours any more."""
        ...

    async def last(self, job: str) -> LastRun | None:
        """The latest run that ended."""
        ...

    async def status(self, job: str) -> JobStatus: ...

    async def jobs(self) -> Sequence[str]:
        """Names of all jobs that ever ran, sorted."""
        ...

    async def request_cancel(self, job: str) -> bool:
        """Ask the run in progress to end; False when none is."""
        ...

    async def meet(self, group: str, member: str, seconds: float) -> frozenset[str]:
        """Say that `member` lives for `seconds` more; all living members, itself included."""
        ...

    async def leave(self, group: str, member: str) -> None: ...
