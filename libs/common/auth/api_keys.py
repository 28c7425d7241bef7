"""API keys: how they look, and a store that remembers them.

A key is `airis_<key id>_<secret>`: twelve base32 characters that may be shown and logged, and 32 random bytes in
base64url that may not. The table holds the SHA-256 of the whole key; a slow hash would add nothing to 256 random bits.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar
from weakref import WeakValueDictionary

import structlog

from libs.common.clickhouse import ClickHouse, load_statements
from libs.common.clock import Clock
from libs.common.errors import AirisError, Unavailable

Scope = Literal["ingest", "read"]
SCOPES: frozenset[Scope] = frozenset({"ingest", "read"})

# A revoked key is gone everywhere within 30 seconds: this, and five for replicas of the store to catch up.
POSITIVE_SECONDS = 25.0
# A key that was just made must not stay unknown for long where somebody tried it too early.
NEGATIVE_SECONDS = 5.0
MAX_ENTRIES = 10_000
LOOKUP_TIMEOUT_SECONDS = 2.0
# Lookups at once. Guessed keys all miss the cache; they queue here and not in the store.
MAX_LOOKUPS = 8
USE_INTERVAL_SECONDS = 300.0

T = TypeVar("T")

_KEY = re.compile(r"airis_([a-z2-7]{12})_([A-Za-z0-9_-]{43})", re.ASCII)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    key_id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    revoked: bool = False

    @property
    def subject(self) -> str:
        return f"key:{self.key_id}"


def generate_api_key(
    *,
    tenant: str,
    name: str,
    scopes: Iterable[Scope],
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is not kept anywhere and can be shown once."""
    key_id = base64.b32encode(random_bytes(8)).decode("ascii").lower()[:12]
    secret = base64.urlsafe_b64encode(random_bytes(32)).decode("ascii").rstrip("=")
    return ApiKey(key_id, tenant, name, frozenset(scopes)), f"airis_{key_id}_{secret}"


def parse_key_id(presented: str) -> str | None:
    """The key id of a well-formed key, else None."""
    match = _KEY.fullmatch(presented)
    return match[1] if match else None


def hash_api_key(presented: str) -> str:
    """SHA-256 of the whole key, 64 lower-case hex digits."""
    return hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class _Known:
    key: ApiKey | None
    asked_at: float


class ApiKeyStore:
    """Looks keys up in the store, and remembers: 25 s what it found, 5 s what it did not, at most 10,000 of each.

    While the store is away, keys found before stay valid, however long that takes: producers keep sending then, and
    nobody can revoke a key in a store that does not answer. An unknown key cannot be judged and is told to come back.
    """

    def __init__(self, clickhouse: ClickHouse, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._clock = clock
        self._statements = load_statements("libs.common.auth")
        # Apart, so that guessed keys never push out valid ones.
        self._found: OrderedDict[str, _Known] = OrderedDict()
        self._missing: OrderedDict[str, _Known] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._lookups = asyncio.Semaphore(MAX_LOOKUPS)
        self._used: OrderedDict[str, float] = OrderedDict()

    async def lookup(self, presented: str) -> ApiKey | None:
        """The valid key whose text this is; None when there is none, or it was revoked.

        Concurrent callers with one key share one query. Raises StoreUnavailable when the store is away and the key was
        not seen before.
        """
        key_id = parse_key_id(presented)
        if key_id is None:
            return None
        hashed = hash_api_key(presented)
        if (fresh := self._fresh(hashed)) is not None:
            return fresh.key
        lock = self._locks.setdefault(hashed, asyncio.Lock())
        async with lock:
            if (fresh := self._fresh(hashed)) is not None:
                return fresh.key
            if hashed in self._found:  # guesses that queue must not stand in the way of keys that were valid
                return await self._refresh(key_id, hashed)
            async with self._lookups:
                return await self._refresh(key_id, hashed)

    def forget(self, key_id: str) -> None:
        """Ask the store anew for this key. For the process that changed it."""
        for hashed in [hashed for hashed, known in self._found.items() if known.key and known.key.key_id == key_id]:
            del self._found[hashed]

    def _fresh(self, hashed: str) -> _Known | None:
        now = self._clock.monotonic()
        known = self._found.get(hashed)
        if known is not None and now - known.asked_at < POSITIVE_SECONDS:
            self._found.move_to_end(hashed)
            return known
        known = self._missing.get(hashed)
        if known is not None and now - known.asked_at < NEGATIVE_SECONDS:
            return known
        return None

    async def _refresh(self, key_id: str, hashed: str) -> ApiKey | None:
        asked_at = self._clock.monotonic()  # before the query: a revocation during it must not count as seen
        try:
            key = await self._select(key_id, hashed)
        except Unavailable:
            stale = self._found.get(hashed)
            if stale is None:
                raise
            # Tried again in five seconds, not by every request of an outage.
            stale.asked_at = asked_at - POSITIVE_SECONDS + NEGATIVE_SECONDS
            log.warning("the store is away, an API key is taken from memory", key_id=key_id)
            return stale.key
        self._found.pop(hashed, None)
        self._missing.pop(hashed, None)
        _remember(self._found if key else self._missing, hashed, _Known(key, asked_at))
        if key is not None:
            await self._book_use(key, asked_at)
        return key

    async def _select(self, key_id: str, hashed: str) -> ApiKey | None:
        rows = await self._clickhouse.query(
            self._statements["select_api_key"], {"key_id": key_id}, timeout=LOOKUP_TIMEOUT_SECONDS
        )
        for row in rows:
            if hmac.compare_digest(row["key_hash"], hashed) and not row["revoked"]:
                return ApiKey(row["key_id"], row["tenant"], row["name"], SCOPES & set(row["scopes"]))
        return None

    async def _book_use(self, key: ApiKey, now: float) -> None:
        """Note the use, at most every five minutes per key and process; a page shows it, nothing depends on it."""
        last = self._used.get(key.key_id)
        if last is not None and now - last < USE_INTERVAL_SECONDS:
            return
        _remember(self._used, key.key_id, now)
        parameters = {
            "tenant": key.tenant,
            "key_id": key.key_id,
            "last_used_at": self._clock.now_ns() // 1_000_000_000,
        }
        try:
            await self._clickhouse.command(
                self._statements["insert_api_key_use"], parameters, timeout=LOOKUP_TIMEOUT_SECONDS
            )
        except AirisError as error:
            log.warning("use of an API key not noted", key_id=key.key_id, error=error.id)


def _remember(entries: OrderedDict[str, T], name: str, entry: T) -> None:
    entries[name] = entry
    entries.move_to_end(name)
    while len(entries) > MAX_ENTRIES:
        entries.popitem(last=False)
