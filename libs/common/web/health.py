"""Readiness: what this process needs, asked by name, cached so that probes cannot load what they probe."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from libs.common.clock import Clock, SystemClock
from libs.common.errors import AirisError

# Returns None or a short remark when well; raises when not.
Check = Callable[[], Awaitable[object]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Dependency:
    check: Check
    required: bool


class Readiness:
    """Named dependencies. `add` them in the lifespan as they open.

    `report()` asks all at once, each at most `timeout` seconds, and keeps the answer for `cache_seconds`. Requests that
    arrive while it asks wait for the same answer.
    """

    def __init__(self, clock: Clock | None = None, *, timeout: float = 2.0, cache_seconds: float = 1.0) -> None:
        self._clock = clock or SystemClock()
        self._timeout = timeout
        self._cache_seconds = cache_seconds
        self._dependencies: dict[str, _Dependency] = {}
        self._lock = asyncio.Lock()
        self._cached: tuple[float, bool, dict[str, Any]] | None = None

    def add(self, name: str, check: Check, *, required: bool = True) -> None:
        """Ask `check` under `name`. One that is not required is reported, and does not take the process out."""
        self._dependencies[name] = _Dependency(check, required)
        self._cached = None

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """(ready, {"status": "ready|not_ready", "checks": {name: {"ok", "required", "detail"}}})."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._cached is None or now - self._cached[0] >= self._cache_seconds:
                self._cached = (now, *await self._ask())
            return self._cached[1], self._cached[2]

    async def _ask(self) -> tuple[bool, dict[str, Any]]:
        names = list(self._dependencies)
        answers = await asyncio.gather(*(self._ask_one(name) for name in names))
        ready = all(ok or not self._dependencies[name].required for name, (ok, _) in zip(names, answers, strict=True))
        checks = {
            name: {"ok": ok, "required": self._dependencies[name].required, "detail": detail}
            for name, (ok, detail) in zip(names, answers, strict=True)
        }
        return ready, {"status": "ready" if ready else "not_ready", "checks": checks}

    async def _ask_one(self, name: str) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(self._timeout):
                remark = await self._dependencies[name].check()
        except TimeoutError:
            return False, f"no answer within {self._timeout:g} s"
        except AirisError as error:
            return False, error.detail
        except Exception as error:  # noqa: BLE001 - any failure of a check means "not ready"
            # The text stays in the log because it may hold addresses.
            log.warning("readiness check failed", dependency=name, error=repr(error))
            return False, type(error).__name__
        return True, remark if isinstance(remark, str) else ""
