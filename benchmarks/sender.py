"""A sender of different requests, each made beforehand: `python -m benchmarks.sender --address 127.0.0.1:4318 --spans 100`.

Unlike one that repeats a single payload it gives compression nothing to gain between requests. In Python, so it is the slower
side below some 100 spans a request and for gRPC; --sender names a faster one (see README). Prints one JSON object.
"""

import argparse
import asyncio
import collections
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import uvloop

from benchmarks import machine, telemetry
from embedded.layout import ROOT

_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_VARIED_BYTES = 64 * 1024**2
# A refused sender waits, if not as long as it was told to.
_REFUSED_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent where. `rate` in spans a second, 0 as fast as answers come; `pids` are watched for CPU time."""

    address: str
    spans: int
    connections: int
    seconds: float
    warm_seconds: float
    pids: tuple[int, ...]
    authorization: str = ""
    grpc: bool = False
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests answered and refused while measured, spans of the answered ones, the receiver's CPU seconds."""

    accepted: int
    refused: int
    seconds: float
    cpu_seconds: float
    first_refusal: str = ""
    accepted_in_all: int = 0  # before, while and after it was measured; our own sender only
    statuses: dict[str, int] | None = None

    def spans_per_cpu_second(self, spans: int) -> float:
        return self.accepted * spans / self.cpu_seconds if self.cpu_seconds else 0.0


def send(load: Load, go_sender: Path | None) -> Sent:
    """Run a sender in a process of its own and wait for its report."""
    if go_sender is not None:
        return _send_by_go(load, go_sender)
    command = [sys.executable, "-m", "benchmarks.sender", "--load", json.dumps(asdict(load))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Sent(**json.loads(done.stdout))


def _send_by_go(load: Load, binary: Path) -> Sent:
    command = [
        str(binary), "-addr", load.address, "-spans", str(load.spans), "-c", str(load.connections),
        "-d", f"{load.seconds}s", "-warm", f"{load.warm_seconds}s", "-pid", ",".join(map(str, load.pids)),
        "-rate", str(load.rate),
    ]  # fmt: skip
    if load.authorization:
        command += ["-header", f"Authorization: {load.authorization}"]
    if load.grpc:
        command.append("-grpc")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"ok (\d+) bad (\d+) elapsed ([\d.]+)s.*receiver cpu ([\d.]+)s", said)
    if found is None:
        raise SystemExit(f"{binary.name} said: {said}")
    refusal = re.search(r"first error: (.*)", said)
    return Sent(int(found[1]), int(found[2]), float(found[3]), float(found[4]), refusal[1] if refusal else "")


class _Run:
    """Counts while measured."""

    def __init__(self, load: Load, requests: list[bytes]) -> None:
        self.load = load
        self.next_request: Iterator[bytes] = itertools.cycle(requests)
        self.counting = False
        self.stopping = False
        self.statuses: collections.Counter[str] = collections.Counter()
        self.refusal = ""
        self.accepted = 0

    def answered(self, status: str, text: str = "") -> None:
        self.accepted += status == "200"
        if not self.counting:
            return
        self.statuses[status] += 1
        if status != "200" and not self.refusal:
            self.refusal = f"{status} {text}"


async def _pauses(run: _Run) -> AsyncIterator[None]:
    """One step per request of a connection, at the wanted rate."""
    if not run.load.rate:
        while not run.stopping:
            yield
        return
    every = run.load.spans * run.load.connections / run.load.rate
    due = time.monotonic()
    while not run.stopping:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += every
        yield


async def _http(run: _Run) -> None:
    host, _, port = run.load.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
    head = f"POST /v1/traces HTTP/1.1\r\nHost: {run.load.address}\r\nContent-Type: application/x-protobuf\r\n"
    if run.load.authorization:
        head += f"Authorization: {run.load.authorization}\r\n"
    async for _ in _pauses(run):
        body = next(run.next_request)
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", answer)
        text = await reader.readexactly(int(length[1])) if length else b""
        status = answer.split(b" ", 2)[1].decode()
        if status != "200" and b"retry-after" not in answer.lower():
            status += " without Retry-After"
        run.answered(status, text.decode("utf-8", "replace"))
        if status != "200":
            await asyncio.sleep(_REFUSED_SECONDS)
    writer.close()


async def _grpc(run: _Run) -> None:
    metadata = (("authorization", run.load.authorization),) if run.load.authorization else ()
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(run.load.address, options=options) as channel:
        export = channel.unary_unary(_METHOD)
        async for _ in _pauses(run):
            try:
                await export(next(run.next_request), metadata=metadata)
            except grpc.aio.AioRpcError as error:
                run.answered(error.code().name, error.details() or "")
                await asyncio.sleep(_REFUSED_SECONDS)
            else:
                run.answered("200")


async def _measure(load: Load, requests: list[bytes]) -> Sent:
    run = _Run(load, requests)
    connection = _grpc if load.grpc else _http
    tasks = [asyncio.create_task(connection(run)) for _ in range(load.connections)]
    await asyncio.wait(tasks, timeout=load.warm_seconds, return_when=asyncio.FIRST_EXCEPTION)
    run.counting = True
    cpu, started = machine.cpu_seconds(load.pids), time.monotonic()
    await asyncio.wait(tasks, timeout=load.seconds, return_when=asyncio.FIRST_EXCEPTION)
    run.counting = False
    seconds, cpu = time.monotonic() - started, machine.cpu_seconds(load.pids) - cpu
    run.stopping = True
    await asyncio.gather(*tasks)
    accepted = run.statuses["200"]
    return Sent(accepted, run.statuses.total() - accepted, seconds, cpu, run.refusal, run.accepted, dict(run.statuses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", required=True, help="a Load as JSON")
    load = Load(**json.loads(parser.parse_args().load))
    one = len(telemetry.one_service_request(0, load.spans, 0))
    variants = max(8, min(4096, _VARIED_BYTES // one))
    requests = list(telemetry.varied_requests(variants, load.spans, time.time_ns() - 2 * 10**9))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sent = runner.run(_measure(load, requests))
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
