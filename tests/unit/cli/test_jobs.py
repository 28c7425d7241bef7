import pytest
from rich.console import Console

from cli.jobs import describe, jobs_table
from libs.common.workers import JobStatus, LastRun, Progress


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (JobStatus("j"), "waits"),
        (JobStatus("j", last=LastRun(1, done=True), outcome="ok"), "ok"),
        (JobStatus("j", progress=Progress(3, 4), outcome="cancelled"), "cancelled"),
        (JobStatus("j", "host/1/x"), "running"),
        (JobStatus("j", "host/1/x", cancelling=True, progress=Progress(3, 4)), "ending on request"),
        (JobStatus("j", "host/1/x", progress=Progress(3, 0, "reading")), "reading"),
        (JobStatus("j", "host/1/x", progress=Progress(3, 4)), "75 %"),
        (JobStatus("j", "host/1/x", progress=Progress(3, 4, "the day", 83.4)), "75 % of the day, 0:01:23 left"),
    ],
)
def test_a_job_in_one_line(status: JobStatus, text: str) -> None:
    assert describe(status) == text


def test_all_jobs_as_a_table() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(jobs_table([JobStatus("demo-backfill", "a"), JobStatus("retention", outcome="failed")]))
    assert "demo-backfill" in captured.get()
    assert "failed" in captured.get()
