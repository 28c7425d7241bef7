import pytest

from demo.kernel import NANOS, Cancelled, Kernel, Pool, TimedOut

START = 1_000 * NANOS


@pytest.fixture
def kernel():
    return Kernel(START)


def seconds(kernel: Kernel) -> float:
    return (kernel.now_ns - START) / NANOS


def test_processes_run_in_order_of_time_and_then_of_asking(kernel):
    seen = []

    def process(name, *pauses):
        for pause in pauses:
            yield from kernel.pause(pause)
            seen.append((name, seconds(kernel)))

    kernel.start(process("a", 2, 1))
    kernel.start(process("b", 1, 2))
    kernel.run_until(START + 10 * NANOS)
    assert seen == [("b", 1), ("a", 2), ("b", 3), ("a", 3)]
    assert seconds(kernel) == 10


def test_what_is_due_exactly_then_runs_and_what_is_later_does_not(kernel):
    seen = []
    kernel.call_in(1.0, lambda: seen.append("on time"))
    kernel.call_in(1.000000001, lambda: seen.append("later"))
    kernel.run_until(START + NANOS)
    assert seen == ["on time"]


def test_time_does_not_go_back(kernel):
    kernel.run_until(START + 5 * NANOS)
    kernel.run_until(START + 3 * NANOS)
    assert seconds(kernel) == 5


def test_within_gives_the_result_in_time(kernel):
    def work():
        yield from kernel.pause(1)
        return "done"

    def process():
        return (yield from kernel.within(2, work()))

    task = kernel.start(process())
    kernel.run_until(START + 10 * NANOS)
    assert (task.done, task.result) == (True, "done")


def test_within_cancels_what_takes_too_long(kernel):
    seen = []

    def work():
        try:
            yield from kernel.pause(5)
        except Cancelled:
            seen.append(("cancelled", seconds(kernel)))
            raise

    def process():
        try:
            yield from kernel.within(2, work())
        except TimedOut:
            seen.append(("timed out", seconds(kernel)))

    kernel.start(process())
    kernel.run_until(START + 10 * NANOS)
    assert seen == [("cancelled", 2), ("timed out", 2)]


def test_the_outer_deadline_is_not_taken_for_the_inner_one(kernel):
    seen = []

    def inner():
        try:
            yield from kernel.within(5, kernel.pause(9))
        except TimedOut:
            seen.append("inner")

    def outer():
        try:
            yield from kernel.within(2, inner())
        except TimedOut:
            seen.append("outer")

    kernel.start(outer())
    kernel.run_until(START + 20 * NANOS)
    assert seen == ["outer"]


def test_gather_takes_as_long_as_the_longest(kernel):
    def work(pause):
        yield from kernel.pause(pause)
        return pause

    def process():
        results = yield from kernel.gather(work(3), work(1))
        return results, seconds(kernel)

    task = kernel.start(process())
    kernel.run_until(START + 10 * NANOS)
    assert task.result == ([3, 1], 3)


def test_gather_cancels_the_others_when_one_fails(kernel):
    seen = []

    def fails():
        yield from kernel.pause(1)
        raise ValueError("no")

    def waits():
        try:
            yield from kernel.pause(9)
        finally:
            seen.append(seconds(kernel))

    def process():
        with pytest.raises(ValueError, match="no"):
            yield from kernel.gather(fails(), waits())

    task = kernel.start(process())
    kernel.run_until(START + 20 * NANOS)
    assert seen == [1]
    assert task.done


def test_an_error_nobody_handles_comes_out(kernel):
    def process():
        yield from kernel.pause(1)
        raise ValueError("a bug")

    kernel.start(process())
    with pytest.raises(ValueError, match="a bug"):
        kernel.run_until(START + 2 * NANOS)


def test_a_pool_lends_in_order_of_asking(kernel):
    pool, seen = Pool(2), []

    def borrower(name):
        yield from pool.acquire()
        seen.append((name, seconds(kernel)))
        yield from kernel.pause(1)
        pool.release()

    for name in "abcde":
        kernel.start(borrower(name))
    assert (pool.used, pool.waiting) == (2, 3)
    kernel.run_until(START + 10 * NANOS)
    assert seen == [("a", 0), ("b", 0), ("c", 1), ("d", 1), ("e", 2)]
    assert (pool.used, pool.waiting) == (0, 0)


def test_a_pool_passes_by_who_gave_up(kernel):
    pool, seen = Pool(1), []

    def holder():
        yield from pool.acquire()
        yield from kernel.pause(5)
        pool.release()

    def impatient():
        with pytest.raises(TimedOut):
            yield from kernel.within(2, pool.acquire())

    def patient():
        yield from pool.acquire()
        seen.append(seconds(kernel))
        pool.release()

    for process in (holder(), impatient(), patient()):
        kernel.start(process)
    kernel.run_until(START + 10 * NANOS)
    assert seen == [5]
    assert (pool.used, pool.waiting) == (0, 0)


def test_shift_moves_everything_along(kernel):
    seen = []
    kernel.call_in(2.0, lambda: seen.append(seconds(kernel)))
    kernel.shift(100.0)
    kernel.run_until(START + 101 * NANOS)
    assert seen == []
    kernel.run_until(START + 103 * NANOS)
    assert seen == [102]


def test_close_runs_finally_blocks_in_order_of_start_and_wakes_nobody(kernel):
    pool, seen = Pool(1), []

    def process(name):
        try:
            yield from pool.acquire()
            seen.append(f"{name} acquired")
            yield from kernel.pause(1)
        finally:
            seen.append(f"{name} ended")

    def parent():
        yield from kernel.gather(process("a"), process("b"))
        seen.append("never")

    kernel.start(parent())
    kernel.close()
    kernel.run_until(START + 10 * NANOS)
    assert seen == ["a acquired", "a ended", "b ended"]
