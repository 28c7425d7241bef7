"""API keys: how they look. Who knows which are valid is `libs.common.auth.key_ring`.

A key is `airis_<key id>_<secret>`: twelve base32 characters that may be shown and logged, and 32 random bytes in
base64url that may not. What is stored is the SHA-256 of the whole key; a slow hash would add nothing to 256 random bits.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Scope = Literal["ingest", "read"]
SCOPES: frozenset[Scope] = frozenset({"ingest", "read"})

_KEY = re.compile(r"airis_([a-z2-7]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


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
