"""A JobStore in memory. It runs the same suite as Redis (tests/contract/workers). `away = True` makes every call fail."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.common.clock import Clock
from libs.common.errors import CacheUnavailable
from libs.common.workers.schedules import LastRun
from libs.common.workers.store import Acquired, JobStatus, Lease, LeaseLost, Outcome, Progress


@dataclass
class _Job:
    fence: int = 0
    holder: str = ""
    until: float = 0.0
    last: LastRun | None = None
    outcome: Outcome | None = None
    finished_ns: int | None = None
    checkpoint: str = ""
    cancel: int = 0
    progress: Progress | None = None


@dataclass
class MemoryJobStore:
    """Time is the clock's: leases run out by `clock.advance`."""

    clock: Clock
    away: bool = False
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _groups: dict[str, dict[str, float]] = field(default_factory=dict)

    async def acquire(self, job: str, holder: str, seconds: float) -> Acquired | None:
        """See JobStore."""
        self._check()
        state, now = self._jobs.setdefault(job, _Job()), self.clock.monotonic()
        if state.until > now and state.holder != holder:
            return None
        state.fence = max(state.fence + 1, self.clock.now_ns() // 1_000_000)
        state.holder, state.until = holder, now + seconds
        return Acquired(Lease(job, holder, state.fence), state.last, state.checkpoint)

    async def renew(self, lease: Lease, seconds: float, progress: Progress | None) -> bool:
        """See JobStore."""
        state = self._held(lease)
        state.until = self.clock.monotonic() + seconds
        if progress is not None:
            state.progress = progress
        return state.cancel == lease.fence

    async def save(self, lease: Lease, checkpoint: str) -> None:
        """See JobStore."""
        self._latest(lease).checkpoint = checkpoint

    async def finish(self, lease: Lease, slot_ns: int, outcome: Outcome, now_ns: int) -> None:
        """See JobStore."""
        state = self._latest(lease)
        done = outcome != "failed"
        state.last, state.outcome, state.finished_ns, state.cancel = LastRun(slot_ns, done), outcome, now_ns, 0
        if done:
            state.checkpoint = ""

    async def release(self, lease: Lease) -> None:
        """See JobStore."""
        self._check()
        state = self._jobs.get(lease.job)
        if state is not None and state.fence == lease.fence:
            state.until = 0.0

    async def last(self, job: str) -> LastRun | None:
        """See JobStore."""
        self._check()
        return self._jobs.get(job, _Job()).last

    async def status(self, job: str) -> JobStatus:
        """See JobStore."""
        self._check()
        state = self._jobs.get(job, _Job())
        held = state.until > self.clock.monotonic()
        return JobStatus(
            job,
            state.holder if held else "",
            held and state.cancel == state.fence,
            state.progress,
            state.last,
            state.outcome,
            state.finished_ns,
        )

    async def jobs(self) -> Sequence[str]:
        """See JobStore."""
        self._check()
        return sorted(self._jobs)

    async def request_cancel(self, job: str) -> bool:
        """See JobStore."""
        self._check()
        state = self._jobs.get(job)
        if state is None or state.until <= self.clock.monotonic():
            return False
        state.cancel = state.fence
        return True

    async def meet(self, group: str, member: str, seconds: float) -> frozenset[str]:
        """See JobStore."""
        self._check()
        now, members = self.clock.monotonic(), self._groups.setdefault(group, {})
        members[member] = now + seconds
        return frozenset(name for name, until in members.items() if until > now)

    async def leave(self, group: str, member: str) -> None:
        """See JobStore."""
        self._check()
        self._groups.get(group, {}).pop(member, None)

    def _check(self) -> None:
        if self.away:
            raise CacheUnavailable("The cache did not answer.")

    def _latest(self, lease: Lease) -> _Job:
        """Nobody has taken over since, though the lease itself may have run out."""
        self._check()
        state = self._jobs.setdefault(lease.job, _Job(lease.fence))
        if state.fence != lease.fence:
            raise LeaseLost(lease.job)
        return state

    def _held(self, lease: Lease) -> _Job:
        self._check()
        state = self._jobs.get(lease.job)
        if state is None or state.fence != lease.fence or state.until <= self.clock.monotonic():
            raise LeaseLost(lease.job)
        return state
