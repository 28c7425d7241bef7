"""Who is let in, and when they are told to come back."""

import pytest

from libs.common.auth.api_keys import ApiKey
from libs.common.errors import Forbidden, RateLimited, StoreUnavailable, Unauthenticated
from libs.common.testing import FakeClock
from services.ingestion.errors import ReceiverOverloaded
from services.ingestion.receivers.admission import Admission, InFlight, TenantRates


class Keys:
    """Knows keys by their text; `away` as when the store does not answer."""

    def __init__(self, **keys: ApiKey) -> None:
        self.keys = keys
        self.away = False

    async def lookup(self, presented: str) -> ApiKey | None:
        if self.away:
            raise StoreUnavailable
        return self.keys.get(presented)


def key(tenant: str = "acme", scopes: frozenset[str] = frozenset({"ingest"}), *, revoked: bool = False) -> ApiKey:
    return ApiKey("k1", tenant, "test", scopes, revoked)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def admission(clock: FakeClock) -> Admission:
    keys = Keys(good=key(), reads=key(scopes=frozenset({"read"})), revoked=key(revoked=True))
    return Admission(keys, InFlight(1000), TenantRates(100, 2, clock))


@pytest.mark.parametrize(
    "authorization", [b"Bearer good", "Bearer good", b"bearer good", b"BEARER  good ", b"Bearer%20good"]
)
async def test_a_known_key_is_admitted(admission: Admission, authorization: bytes | str) -> None:
    assert (await admission.admit(authorization)).tenant == "acme"


@pytest.mark.parametrize(
    "authorization",
    [None, b"", b"Bearer", b"Bearer ", b"Basic good", b"good", b"Bearer other", b"Bearer revoked", b"\xff\xfe"],
)
async def test_others_are_not(admission: Admission, authorization: bytes | None) -> None:
    with pytest.raises(Unauthenticated):
        await admission.admit(authorization)


async def test_a_key_that_may_only_read_is_forbidden(admission: Admission) -> None:
    with pytest.raises(Forbidden, match="scope `ingest`"):
        await admission.admit(b"Bearer reads")


async def test_a_key_that_cannot_be_judged_is_not_called_bad(clock: FakeClock) -> None:
    keys = Keys()
    keys.away = True
    admission = Admission(keys, InFlight(1000), TenantRates(0, 1, clock))
    with pytest.raises(StoreUnavailable) as caught:
        await admission.admit(b"Bearer good")
    assert caught.value.retry_after


async def test_a_tenant_that_sends_too_fast_is_told_when_to_come_back(admission: Admission, clock: FakeClock) -> None:
    good = await admission.admit(b"Bearer good")
    admission.charge(good, 500)  # 200 are allowed at once; the request is in already, so it leaves a debt
    with pytest.raises(RateLimited) as caught:
        await admission.admit(b"Bearer good")
    assert caught.value.retry_after == pytest.approx(3)
    clock.move(3.1)
    await admission.admit(b"Bearer good")
    clock.move(3600)
    admission.charge(good, 200)
    with pytest.raises(RateLimited):
        await admission.admit(b"Bearer good")


def test_tenants_do_not_share_a_rate_and_idle_ones_are_forgotten(clock: FakeClock) -> None:
    rates = TenantRates(100, 1, clock)
    rates.charge("loud", 1_000_000)
    for number in range(10_000):
        rates.charge(f"quiet {number}", 1)
    clock.move(1)
    rates.charge("one more", 1)
    assert len(rates._buckets) == 2
    rates.check("quiet 1")
    with pytest.raises(RateLimited):
        rates.check("loud")


def test_no_rate_is_no_limit(clock: FakeClock) -> None:
    rates = TenantRates(0, 1, clock)
    rates.charge("acme", 10**12)
    rates.check("acme")


def test_what_a_request_held_is_given_back_however_it_ends() -> None:
    in_flight = InFlight(100)
    with in_flight.hold() as first, pytest.raises(ReceiverOverloaded), in_flight.hold() as second:
        first.grow(60)
        second.grow(40)
        assert in_flight.used == 100
        second.grow(1)
    assert in_flight.used == 0
