"""What the gateway depends on, by name.

Nothing of it is required: without Redis each gateway limits alone, without the control store known keys and open sessions
go on, and an upstream that is away is answered for. A gateway taken out of rotation would answer nobody, and say nothing.
"""

from collections.abc import Mapping
from functools import partial

from redis.asyncio import Redis

from libs.common.control_store import ControlStore
from libs.common.redis_client import check_redis
from libs.common.web.health import Check, Readiness
from services.api_gateway.upstreams import Service, Upstream


def add_checks(readiness: Readiness, store: ControlStore, redis: Redis, upstreams: Mapping[Service, Upstream]) -> None:
    """Report stores and upstreams, none of them required."""
    readiness.add("control_store", store.check, required=False)
    readiness.add("redis", partial(check_redis, redis), required=False)
    for service, upstream in upstreams.items():
        readiness.add(service, _answers(upstream), required=False)


def _answers(upstream: Upstream) -> Check:
    async def check() -> None:
        response = await upstream.client.get(upstream.base_url.join("/livez"))
        response.raise_for_status()

    return check
