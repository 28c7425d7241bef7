"""All valid API keys, in memory, in every process that judges them.

The gateway owns the keys and numbers every change of one. A ring asks for what changed since the number it knows, every second, and
at once when it meets a key it does not know: one made a moment ago works everywhere, one that was revoked is gone within
seconds, and guessed keys share one question. While the gateway or its store is away the ring answers from memory, and a
process that starts meanwhile from the snapshot that the last one left.
"""

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from libs.common import tracing
from libs.common.auth.api_keys import SCOPES, ApiKey, hash_api_key, parse_key_id
from libs.common.clock import Clock
from libs.common.errors import AirisError, ControlStoreUnavailable
from libs.common.metrics import Metrics, counter, gauge

POLL_SECONDS = 1.0
# Between two questions because of unknown keys: a key is 256 random bits, so guesses cost us this much and gain nothing.
PACE_SECONDS = 0.2
# For the first answer of a process that has no snapshot.
FIRST_SECONDS = 2.0
USES_SECONDS = 30.0
# A revocation that has not arrived for this long is worth an alert.
STALE_SECONDS = 10.0
MAX_KEYS = 200_000
MAX_UNKNOWN = 10_000
MAX_WAITING = 1_000

log = structlog.get_logger(__name__)


class KeyRingMetrics(Metrics):
    known = gauge("airis_api_keys_known", "Valid API keys this process knows.", unit="keys")
    age = gauge(
        "airis_api_keys_age_seconds",
        "Time since this process last heard which API keys are valid; a revocation cannot be newer than that.",
        unit="seconds",
    )
    failures = counter(
        "airis_api_keys_failures_total", "Times the source of API keys did not answer; memory goes on.", unit="failures"
    )


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key as it is now; a revoked one is to be forgotten. `key_hash` is SHA-256 of its text, in hex."""

    key: ApiKey
    key_hash: str

    def document(self) -> dict[str, Any]:
        """As it travels in JSON."""
        key = self.key
        return {
            "key_id": key.key_id,
            "tenant": key.tenant,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "revoked": key.revoked,
            "key_hash": self.key_hash,
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "KeyChange":
        """Scopes we do not know are not granted. Raises KeyError, TypeError."""
        scopes = SCOPES & set(document["scopes"])
        key = ApiKey(
            document["key_id"], document["tenant"], document["name"], scopes, revoked=bool(document["revoked"])
        )
        return cls(key, str(document["key_hash"]))


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """What happened up to `version` of the history `epoch`. A complete one replaces all that was known."""

    epoch: str
    version: int
    complete: bool
    changes: tuple[KeyChange, ...]

    def document(self) -> dict[str, Any]:
        """As it travels in JSON."""
        changes = [change.document() for change in self.changes]
        return {"epoch": self.epoch, "version": self.version, "complete": self.complete, "keys": changes}

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "KeyChanges":
        """Raises KeyError, TypeError, ValueError for what is no such document."""
        changes = tuple(KeyChange.parse(change) for change in document["keys"])
        return cls(str(document["epoch"]), int(document["version"]), bool(document["complete"]), changes)


class KeySource(Protocol):
    """Where a ring hears of keys, and tells of their use. Both raise Unavailable."""

    async def key_changes(self, epoch: str, version: int) -> KeyChanges: ...

    async def note_uses(self, uses: Mapping[str, int]) -> None: ...


class KeyRing:
    """Made by open_key_ring; in tests without the task that keeps it up to date."""

    def __init__(
        self,
        source: KeySource,
        clock: Clock,
        *,
        metrics: KeyRingMetrics | None = None,
        snapshot: Path | None = None,
        poll_seconds: float = POLL_SECONDS,
        pace_seconds: float = PACE_SECONDS,
    ) -> None:
        self._source = source
        self._clock = clock
        self._snapshot = snapshot
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._pace_seconds = pace_seconds
        self._epoch, self._version = "", -1
        self._keys: dict[str, ApiKey] = {}
        self._hashes: dict[str, str] = {}  # by key id
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._uses: dict[str, int] = {}
        self._loaded = asyncio.Event()
        self._turn = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answered_at = float("-inf")
        self._failure: AirisError | None = None
        self._waiting = 0
        if metrics is not None:
            metrics.known.set_function(lambda: len(self._keys))
            metrics.age.set_function(lambda: min(self._clock.monotonic() - self._answered_at, 1e9))

    async def lookup(self, presented: str) -> ApiKey | None:
        """The valid key whose text this is; None when there is none, or it was revoked.

        Raises ControlStoreUnavailable when the key is not known and nobody can be asked about it: who is told that a good
        key is bad throws data away.
        """
        if parse_key_id(presented) is None:
            return None
        hashed = hash_api_key(presented)
        key = self._keys.get(hashed)
        if key is None and hashed not in self._unknown:
            key = await self._ask_for(hashed)
        if key is not None:
            self._uses[key.key_id] = self._clock.now_ns() // 1_000_000_000
        return key

    async def refresh(self) -> None:
        """Hear of what changed before this call. Raises Unavailable. Callers that wait share one question."""
        called_at = self._clock.monotonic()
        async with self._turn:
            if self._asked_at <= called_at:
                if (pause := self._asked_at + self._pace_seconds - self._clock.monotonic()) > 0:
                    await self._clock.sleep(pause)
                await self._poll()
        if self._failure is not None:
            raise self._failure

    async def report_uses(self) -> None:
        """Tell the source which keys were used since the last time. Best effort: a page shows it, nothing depends on it."""
        uses, self._uses = self._uses, {}
        try:
            await self._source.note_uses(uses)
        except AirisError as error:
            log.warning("uses of API keys not told", keys=len(uses), error=error.id)
            self._uses = {**uses, **self._uses}

    async def check(self) -> str | None:
        """Readiness: whether keys can be judged. Raises ControlStoreUnavailable when none was ever heard of."""
        if not self._loaded.is_set():
            raise ControlStoreUnavailable("API keys are not known yet.")
        if self._clock.monotonic() - self._answered_at > STALE_SECONDS:
            raise ControlStoreUnavailable("API keys are answered from memory; revocations do not arrive.")
        return None

    def load_snapshot(self) -> None:
        """Begin with the keys that the process before heard of. A file that cannot be read is no file."""
        if self._snapshot is None:
            return
        try:
            self._take(KeyChanges.parse(json.loads(self._snapshot.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("snapshot of API keys not read", error=type(error).__name__)
            return
        log.info("API keys from the snapshot", keys=len(self._keys))

    async def run(self) -> None:
        """Keep up to date until cancelled."""
        told_at = self._clock.monotonic()
        while True:
            async with self._turn:
                await self._poll()
            if self._uses and self._clock.monotonic() - told_at >= USES_SECONDS:
                told_at = self._clock.monotonic()
                await self.report_uses()
            await self._clock.sleep(self._poll_seconds if self._loaded.is_set() else min(0.2, self._poll_seconds))

    async def _ask_for(self, hashed: str) -> ApiKey | None:
        if self._waiting >= MAX_WAITING:
            raise ControlStoreUnavailable("Too many unknown API keys at this moment. Try again shortly.")
        self._waiting += 1
        try:
            await self._refresh_or_wait()
        finally:
            self._waiting -= 1
        key = self._keys.get(hashed)
        if key is None:
            self._unknown[hashed] = None
            while len(self._unknown) > MAX_UNKNOWN:
                self._unknown.popitem(last=False)
        return key

    async def _refresh_or_wait(self) -> None:
        try:
            await self.refresh()
        except AirisError:
            if self._loaded.is_set():
                raise
            # The first answer of all may be a moment away: everything starts at once.
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await self._loaded.wait()
                    return
            raise

    async def _poll(self) -> None:
        self._asked_at = self._clock.monotonic()
        try:
            with tracing.untraced():  # every second, and the same every time
                changes = await self._source.key_changes(self._epoch, self._version)
        except AirisError as error:
            if self._failure is None:
                log.warning("API keys are answered from memory", keys=len(self._keys), error=error.id)
            self._failure = ControlStoreUnavailable(
                "API keys that are not known yet cannot be checked right now.", retry_after=error.retry_after or 1.0
            )
            if self._metrics is not None:
                self._metrics.failures.inc()
            return
        self._failure, self._answered_at = None, self._clock.monotonic()
        changed = changes.complete or bool(changes.changes)
        self._take(changes)
        if changed and self._snapshot is not None:
            await asyncio.to_thread(self._write_snapshot)

    def _take(self, changes: KeyChanges) -> None:
        if changes.complete:
            self._keys, self._hashes = {}, {}
        for change in changes.changes:
            self._forget(change.key.key_id)
            if not change.key.revoked:
                self._remember(change)
        self._epoch, self._version = changes.epoch, changes.version
        if changes.complete or changes.changes:
            self._unknown.clear()
        self._loaded.set()

    def _forget(self, key_id: str) -> None:
        if (hashed := self._hashes.pop(key_id, None)) is not None:
            self._keys.pop(hashed, None)

    def _remember(self, change: KeyChange) -> None:
        if len(self._keys) >= MAX_KEYS:
            log.error("more API keys than fit, the rest is refused", limit=MAX_KEYS)
            return
        self._keys[change.key_hash] = change.key
        self._hashes[change.key.key_id] = change.key_hash

    def _write_snapshot(self) -> None:
        assert self._snapshot is not None
        known: Iterable[tuple[str, ApiKey]] = list(self._keys.items())
        changes = tuple(KeyChange(key, hashed) for hashed, key in known)
        content = KeyChanges(self._epoch, self._version, complete=True, changes=changes).document()
        part = self._snapshot.with_suffix(".part")
        try:
            self._snapshot.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
                json.dump(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self._snapshot)
        except OSError as error:
            log.warning("snapshot of API keys not written", error=str(error))


@asynccontextmanager
async def open_key_ring(ring: KeyRing) -> AsyncIterator[KeyRing]:
    """Keep the ring up to date until left, then tell of the last uses."""
    ring.load_snapshot()
    task = asyncio.create_task(ring.run(), name="api-keys")
    try:
        yield ring
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ring.report_uses()
