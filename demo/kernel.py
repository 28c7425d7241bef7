"""A discrete-event kernel: processes are generators on a virtual clock.

A process yields a wait: a function that takes a `wake` callback and arranges for it to be called. `wake` returns False
when its sleeper has left meanwhile (deadline, cancellation), so that whoever hands over something scarce, like a pooled
connection, knows to offer it to the next in line.

Nothing sleeps in real time. `run_until` runs what is due; two runs with the same processes are identical.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from itertools import count
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
NANOS = 1_000_000_000


class Wake(Protocol):
    def __call__(self, value: Any = None) -> bool: ...


Wait: TypeAlias = Callable[[Wake], Any]
Process: TypeAlias = Generator[Wait, Any, T]


class Cancelled(BaseException):
    """Thrown into a process that must end now. Derives from BaseException so that `except Exception` lets it pass."""


class TimedOut(Exception):
    """`within` ran out of time."""


class Timer:
    """A callback due at a time, unless cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], Any]) -> None:
        self.callback: Callable[[], Any] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Task(Generic[T]):
    """A running process."""

    def __init__(self, kernel: "Kernel", process: Process[T], *, supervised: bool) -> None:
        self._kernel = kernel
        self._process = process
        self._supervised = supervised
        self._epoch = 0
        self._joiners: list[Wake] = []
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def throw(self, error: BaseException) -> None:
        """Raise `error` where the process waits; no effect when it has ended."""
        if not self.done:
            self._step(None, error)

    def join(self) -> Process[T]:
        """Wait for the end; the process's result, or its error raised here."""
        if not self.done:
            yield self._joiners.append
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # set when done without error

    def close(self) -> None:
        """The end of the simulation, where the process waits."""
        self._process.close()

    def _step(self, value: Any, error: BaseException | None = None) -> None:
        self._epoch += 1
        caller, self._kernel.current = self._kernel.current, self
        try:
            wait = self._process.send(value) if error is None else self._process.throw(error)
        except StopIteration as stop:
            self._finish(result=stop.value)
        except Cancelled as cancelled:
            self._finish(error=cancelled)
        except Exception as failure:
            if self._supervised:
                self._finish(error=failure)
            else:
                self._finish()
                raise
        else:
            epoch = self._epoch

            def wake(value: Any = None) -> bool:
                if self.done or epoch != self._epoch:
                    return False
                self._step(value)
                return True

            wait(wake)
        finally:
            self._kernel.current = caller

    def _finish(self, result: T | None = None, error: BaseException | None = None) -> None:
        self.done, self.result, self.error = True, result, error
        self._kernel.tasks.pop(self, None)
        for wake in self._joiners:
            wake()
        self._joiners.clear()


class Kernel:
    """The virtual clock and what is due on it.

    `now_ns` is unix nanoseconds. An error a process does not handle comes out of `run_until` (or of `start`).
    """

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self.current: Task[Any] | None = None
        self.tasks: dict[Task[Any], None] = {}  # a set in order of start: ends must be repeatable, too
        self._due: list[tuple[int, int, Timer]] = []
        self._order = count()

    def call_in(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._due, (self.now_ns + max(0, round(seconds * NANOS)), next(self._order), timer))
        return timer

    def start(self, process: Process[T], *, supervised: bool = False) -> Task[T]:
        """Run a process up to its first wait, then on. A supervised task keeps its error for `join`."""
        task = Task(self, process, supervised=supervised)
        self.tasks[task] = None
        task._step(None)  # noqa: SLF001 - kernel and task are one mechanism
        return task

    def run_until(self, time_ns: int) -> None:
        """Run everything due up to and including `time_ns`; then it is that time."""
        due = self._due
        while due and due[0][0] <= time_ns:
            self.now_ns, _, timer = heapq.heappop(due)
            if (callback := timer.callback) is not None:
                callback()
        self.now_ns = max(self.now_ns, time_ns)

    def shift(self, seconds: float) -> None:
        """Let time jump: what was due stays as far away as it was. For a machine that slept."""
        delta = round(seconds * NANOS)
        self.now_ns += delta
        self._due = [(due + delta, order, timer) for due, order, timer in self._due]

    def close(self) -> None:
        """End all processes where they wait; their `finally` blocks run, and nobody is woken by that."""
        ending, self.tasks = self.tasks, {}
        for task in ending:
            task.done = True
        for task in ending:
            task.close()
        self._due.clear()

    def pause(self, seconds: float) -> Process[None]:
        """Wait this long."""
        yield lambda wake: self.call_in(seconds, wake)

    def within(self, seconds: float, process: Process[T]) -> Process[T]:
        """The process's result, or TimedOut after `seconds`; the process then sees Cancelled."""
        task = self.current
        assert task is not None, "within() runs inside a process"
        cancelled = Cancelled()
        timer = self.call_in(seconds, lambda: task.throw(cancelled))
        try:
            return (yield from process)
        except Cancelled as error:
            if error is cancelled:
                raise TimedOut from None
            raise
        finally:
            timer.cancel()

    def gather(self, *processes: Process[Any]) -> Process[list[Any]]:
        """Run side by side; all results in order. The first error, in that order, cancels the others and is raised."""
        tasks = [self.start(process, supervised=True) for process in processes]
        results: list[Any] = []
        try:
            for task in tasks:
                result = yield from task.join()
                results += (result,)
        except BaseException:
            for task in tasks:
                task.throw(Cancelled())
            raise
        return results


class Pool:
    """A number of equal things that are borrowed in turn: connections, workers, a lock (size 1)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self._queue: deque[Wake] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._queue)

    def acquire(self) -> Process[None]:
        """Borrow one; first come, first served."""
        if self.used < self.size:
            self.used += 1
            return
        place: list[Wake] = []

        def stand_in_line(wake: Wake) -> None:
            place.append(wake)
            self._queue.append(wake)

        try:
            yield stand_in_line
        except BaseException:
            with suppress(ValueError):  # at the simulation's end, release() has passed it by already
                self._queue.remove(place[0])
            raise

    def release(self) -> None:
        """Give one back; the next in line has it at once."""
        while self._queue:
            if self._queue.popleft()():
                return
        self.used -= 1
