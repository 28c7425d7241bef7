"""Starts the processes of the embedded product, restarts what dies, keeps their logs, and stops them in reverse order.

Runs as a process of its own: `python -m embedded.supervisor DATA_DIR PORTS_JSON DEMO`. It tells what it does in
`state.json`, which `airis up`, `status` and `down` read. Children get a signal from the kernel when the supervisor dies, so a
killed supervisor leaves nothing behind that would hold a port.
"""

import asyncio
import ctypes
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from embedded.health import first_problem
from embedded.layout import ADMIN_EMAIL, ROOT, Layout, Ports, ProcessSpec, Secrets, processes, write_private
from embedded.private_files import keep_private, make_private
from embedded.processes import allow_many_files, end, identify, left_behind
from embedded.redis import redis_command

START_SECONDS = 60.0
DRAIN_SECONDS = 30.0
LOG_BYTES, LOG_FILES = 20 * 1024 * 1024, 3
FIRST_BACKOFF, LAST_BACKOFF = 0.2, 5.0
# A process that lived this long had not failed at starting.
SETTLED_SECONDS = 20.0
LIVENESS_SECONDS, LIVENESS_FAILURES = 5.0, 6
CARRY_RETRY_SECONDS = 30.0
# What setup says when rows of an older schema are left.
_WAITING = b"to carry over"
_PR_SET_PDEATHSIG = 1


class StartFailed(Exception):
    """A process or step did not come up; the message has the end of its log."""


@dataclass(slots=True)
class Status:
    """What `state.json` says of one process."""

    pid: int | None = None
    started: int | None = None
    restarts: int = 0
    ready: bool = False
    missing: str = ""


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervised:
    """One process and whoever waits for it."""

    def __init__(
        self, spec: ProcessSpec, environment: dict[str, str], log: logging.Logger, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.status = Status()
        self._environment = environment
        self._log = log
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        """Keep it running until `stop`."""
        backoff = FIRST_BACKOFF
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            self.status.ready, self.status.pid = False, None
            if self._stopping:
                return
            self._changed()
            if time.monotonic() - started > SETTLED_SECONDS:
                backoff = FIRST_BACKOFF
            self._log.info("supervisor: %s ended with %s, starting it again in %.1f s", self.spec.name, code, backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LAST_BACKOFF)
            self.status.restarts += 1

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=ROOT,
            preexec_fn=_die_with_parent,
            limit=1024 * 1024,
        )
        identity = identify(process.pid)
        self._process, self.status.pid = process, process.pid
        self.status.started = identity.started if identity is not None else None
        self._changed()
        assert process.stdout is not None
        watcher = asyncio.create_task(self._watch(process))
        try:
            while True:
                try:
                    line = await process.stdout.readline()
                except ValueError:  # a line beyond the limit; what follows it is read on
                    continue
                if not line:
                    break
                self._log.info("%s", line.decode("utf-8", "replace").rstrip("\n"))
            return await process.wait()
        finally:
            watcher.cancel()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Note when it becomes ready; end it when it has stopped answering, so that it is started again."""
        failures = 0
        while (missing := await first_problem(self.spec.ready)) is not None:
            self.status.missing = missing
            await asyncio.sleep(0.1)
        self.status.ready, self.status.missing = True, ""
        self._changed()
        while self.spec.alive:
            await asyncio.sleep(LIVENESS_SECONDS)
            missing = await first_problem(self.spec.alive)
            failures = 0 if missing is None else failures + 1
            if failures >= LIVENESS_FAILURES:
                self._log.error("supervisor: %s does not answer, ending it: %s", self.spec.name, missing)
                with suppress(ProcessLookupError):
                    process.kill()
                return

    async def stop(self) -> None:
        """SIGTERM, wait for the drain, SIGKILL."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), DRAIN_SECONDS)
        except TimeoutError:
            self._log.error("supervisor: %s did not drain in %.0f s, killing it", self.spec.name, DRAIN_SECONDS)
            with suppress(ProcessLookupError):
                process.kill()


class Supervisor:
    """All processes of one installation."""

    def __init__(self, layout: Layout, made: Secrets, *, without: frozenset[str] = frozenset()) -> None:
        """`without` names processes to leave out."""
        self._layout = layout
        self._without = without
        self._secrets = made
        # What the shell says of our settings holds for all, except what an installation decides itself.
        decided = layout.environment(made)
        self._inherited = {name: value for name, value in os.environ.items() if name not in decided}
        self._inherited["PYTHONUNBUFFERED"] = "1"
        self._phase, self._message = "starting", "starting"
        identity = identify(os.getpid())
        assert identity is not None, "a running process is there"
        self._identity = identity
        self._supervised: list[Supervised] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._carry_over = False
        self._carrier: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start all, watch until `stop`, stop all."""
        data = self._layout.data_dir / "data"
        redis = redis_command(data / "redis", self._layout.ports.redis, self._secrets.redis_password)
        (data / "clickhouse").mkdir(parents=True, exist_ok=True)
        try:
            specs = processes(self._layout, self._secrets, redis)
            await self._start([spec for spec in specs if spec.name not in self._without], stop)
            if not stop.is_set():
                self._tell("ready", "everything is ready")
                if self._carry_over:
                    self._carrier = asyncio.create_task(self._carry(), name="migrate")
                await stop.wait()
            self._tell("stopping", "stopping")
        except StartFailed as error:
            self._tell("failed", str(error))
        finally:
            if self._carrier is not None:
                self._carrier.cancel()
                await asyncio.gather(self._carrier, return_exceptions=True)
            for supervised in reversed(self._supervised):
                await supervised.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._phase != "failed":
                self._tell("stopped", "stopped")

    async def _start(self, specs: Sequence[ProcessSpec], stop: asyncio.Event) -> None:
        engines = [spec for spec in specs if spec.name in {"redis", "clickhouse"}]
        services = [spec for spec in specs if spec not in engines and spec.name != "demo"]
        await self._start_group(engines, stop)
        self._tell("starting", "migrating the schema")
        await self._set_up(stop)
        await self._start_group(services, stop)
        await self._start_group([spec for spec in specs if spec.name == "demo"], stop)

    async def _start_group(self, specs: Sequence[ProcessSpec], stop: asyncio.Event) -> None:
        for spec in specs:
            log = _log_file(self._layout.logs / f"{spec.name}.log")
            supervised = Supervised(spec, {**self._inherited, **spec.environment}, log, self._save)
            self._supervised.append(supervised)
            self._tasks.append(asyncio.create_task(supervised.run(), name=spec.name))
        deadline = time.monotonic() + START_SECONDS
        while waiting := [one for one in self._supervised if not one.status.ready]:
            names = ", ".join(one.spec.name for one in waiting)
            self._tell("starting", f"waiting for {names}")
            if stop.is_set():
                return
            if time.monotonic() > deadline:
                missing = "\n".join(f"{one.spec.name}: {one.status.missing}" for one in waiting if one.status.missing)
                late = f"{names} did not become ready in {START_SECONDS:.0f} s\n{missing}\n"
                raise StartFailed(late + self._ends(waiting))
            await asyncio.sleep(0.1)

    async def _set_up(self, stop: asyncio.Event) -> None:
        if stop.is_set():
            return
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.api_gateway.setup",
            env={**self._inherited, **self._layout.setup_environment(self._secrets)}, cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
        )  # fmt: skip
        output, _ = await process.communicate()
        _log_file(self._layout.logs / "setup.log").info("%s", output.decode("utf-8", "replace").rstrip())
        if process.returncode:
            raise StartFailed("setup failed\n" + output.decode("utf-8", "replace")[-3000:])
        self._carry_over = _WAITING in output

    async def _carry(self) -> None:
        """Bring rows of an older schema into today's tables while everything runs; readers see them where they are until then."""
        log = _log_file(self._layout.logs / "migrate.log")
        code: int | None = None
        while code != 0:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cli.main", "migrate", cwd=ROOT,
                env={**self._inherited, **self._layout.setup_environment(self._secrets), "COLUMNS": "200"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
            )  # fmt: skip
            assert process.stdout is not None
            try:
                async for line in process.stdout:
                    log.info("%s", line.decode("utf-8", "replace").rstrip())
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()  # which costs no more than the partition it was at
                    await process.wait()
            if code:
                log.error("supervisor: ended with %s, trying again in %.0f s", code, CARRY_RETRY_SECONDS)
                await asyncio.sleep(CARRY_RETRY_SECONDS)

    def _ends(self, waiting: Sequence[Supervised]) -> str:
        return "\n".join(tail(self._layout.logs / f"{one.spec.name}.log", 15) for one in waiting)

    def _tell(self, phase: str, message: str) -> None:
        if (phase, message) != (self._phase, self._message):
            self._phase, self._message = phase, message
            self._save()

    def _save(self) -> None:
        layout = self._layout
        write_private(
            layout.state_file,
            {
                "phase": self._phase,
                "message": self._message,
                "supervisor": asdict(self._identity),
                "ports": asdict(layout.ports),
                "demo": layout.demo,
                "processes": {one.spec.name: asdict(one.status) for one in self._supervised},
            },
        )
        write_private(
            layout.run_file,
            {
                "gateway": layout.gateway_url,
                "otlp_http": layout.otlp_http_url,
                "otlp_grpc": layout.otlp_grpc,
                "admin_email": ADMIN_EMAIL,
                "admin_password": self._secrets.admin_password,
                "api_key": self._secrets.api_key,
                "pids": {role: one.status.pid for one in self._supervised for role in one.spec.roles if one.status.pid},
            },
        )


def tail(file: Path, lines: int) -> str:
    """The last lines of a log, "" when there is none."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def _log_file(file: Path) -> logging.Logger:
    logger = logging.getLogger(f"airis.supervised.{file}")
    if not logger.handlers:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


async def _main(layout: Layout) -> None:
    lock = os.open(layout.data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel drops it with the process
    except BlockingIOError:
        sys.exit(f"another supervisor runs {layout.data_dir}")
    # Those of a supervisor that was killed are draining; their ports and data have to be free.
    await asyncio.to_thread(end, left_behind(layout.data_dir), DRAIN_SECONDS)
    # Releases before this one left them readable to all. Measured: 0.3 s for 50,000 files that need nothing.
    if mended := await asyncio.to_thread(make_private, layout.data_dir):
        sys.stderr.write(f"{mended} files and folders were open to other users of this machine and are closed now\n")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Supervisor(layout, Secrets.load_or_make(layout.secrets_file)).run(stop)


def main() -> None:
    """Arguments: data directory, ports as JSON, "demo" or "no-demo"."""
    directory, ports, demo = sys.argv[1:4]
    allow_many_files()
    keep_private()
    asyncio.run(_main(Layout(Path(directory), Ports(**json.loads(ports)), demo == "demo")))


if __name__ == "__main__":
    main()
