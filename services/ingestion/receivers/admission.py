"""Who may send, how much at once, and how fast. The same for HTTP and gRPC, and asked before a body is read."""

from typing import Protocol, Self

from libs.common.auth.api_keys import ApiKey
from libs.common.clock import Clock
from libs.common.errors import Forbidden, RateLimited, StoreUnavailable, Unauthenticated, Unavailable
from services.ingestion.errors import ReceiverOverloaded

# Tenants that were idle long enough to be at full allowance are forgotten beyond this number.
_REMEMBERED_TENANTS = 10_000
_KEY_STORE_RETRY_SECONDS = 5.0


class KeyStore(Protocol):
    """`libs.common.auth.key_ring.KeyRing`, or what stands in for it."""

    async def lookup(self, presented: str) -> ApiKey | None: ...


class Admission:
    """Turns an `Authorization` value into a key that may ingest; `in_flight` says whether there is room."""

    def __init__(self, keys: KeyStore, in_flight: "InFlight", rates: "TenantRates") -> None:
        self._keys = keys
        self.in_flight = in_flight
        self._rates = rates

    async def admit(self, authorization: bytes | str | None) -> ApiKey:
        """The sender's key.

        Raises Unauthenticated (no key, or an unknown one), Forbidden (a key that may only read), RateLimited, and
        StoreUnavailable when the key cannot be judged now: telling a sender that its good key is bad loses data.
        """
        if not authorization:
            raise Unauthenticated("Send an API key that may ingest: `Authorization: Bearer airis_...`.")
        if isinstance(authorization, bytes):
            authorization = authorization.decode("latin-1")
        # A header from an environment variable is percent-encoded, and SDKs that do not decode it send `Bearer%20airis_...`.
        scheme, _, presented = authorization.replace("%20", " ", 1).partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("The Authorization header must be `Bearer` and an API key.")
        try:
            key = await self._keys.lookup(presented.strip())
        except Unavailable as error:
            raise StoreUnavailable(
                "API keys cannot be checked at the moment; keep the data and send it again.",
                retry_after=error.retry_after or _KEY_STORE_RETRY_SECONDS,
            ) from error
        if key is None or key.revoked:
            raise Unauthenticated("The API key is unknown or was revoked; make one on the API keys page.")
        if "ingest" not in key.scopes:
            raise Forbidden(f"The API key {key.key_id} may not ingest; make one with the scope `ingest`.")
        self._rates.check(key.tenant)
        return key

    def charge(self, key: ApiKey, size: int) -> None:
        """Count `size` unpacked bytes against the tenant's rate."""
        self._rates.charge(key.tenant, size)


class TenantRates:
    """A token bucket of bytes per tenant. A request is let in while anything is left, and may leave a debt."""

    def __init__(self, bytes_per_second: float, burst_seconds: float, clock: Clock) -> None:
        self._rate = bytes_per_second
        self._burst = bytes_per_second * burst_seconds
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tenant: (bytes left, at)

    def check(self, tenant: str) -> None:
        """Raises RateLimited with the time until the debt is paid."""
        if not self._rate:
            return
        left = self._left(tenant)
        if left <= 0:
            raise RateLimited(
                f"The tenant sends more than {self._rate:.0f} bytes a second to this receiver.",
                retry_after=max(1.0, -left / self._rate),
            )

    def charge(self, tenant: str, size: int) -> None:
        """Take `size` bytes off the tenant's allowance."""
        if not self._rate:
            return
        if tenant not in self._buckets and len(self._buckets) >= _REMEMBERED_TENANTS:
            self._buckets = {
                other: bucket for other, bucket in self._buckets.items() if self._left(other) < self._burst
            }
        self._buckets[tenant] = (self._left(tenant) - size, self._clock.monotonic())

    def _left(self, tenant: str) -> float:
        left, at = self._buckets.get(tenant, (self._burst, 0.0))
        return min(self._burst, left + (self._clock.monotonic() - at) * self._rate)


class InFlight:
    """Bytes of the requests this process holds: its one signal of backpressure towards senders."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def hold(self) -> "Hold":
        """One request's share; what it took is given back when the block ends."""
        return Hold(self)

    def take(self, size: int) -> None:
        """Raises ReceiverOverloaded."""
        if self.used + size > self._limit:
            raise ReceiverOverloaded("The receiver holds as much as it can; keep the data and send it again.")
        self.used += size


class Hold:
    """A context manager of its own, because a generator's costs as much as the rest of admission."""

    __slots__ = ("_in_flight", "_size")

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._in_flight.used -= self._size

    def grow(self, size: int) -> None:
        """Raises ReceiverOverloaded."""
        self._in_flight.take(size)
        self._size += size
