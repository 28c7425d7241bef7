"""Work ends when nobody waits for it."""

import asyncio

import pytest
from starlette.requests import Request

from libs.common.errors import ClientClosedRequest, NotFound
from libs.common.web.disconnect import cancel_on_disconnect


def _request(gone: asyncio.Event) -> Request:
    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


async def test_finished_work_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await cancel_on_disconnect(_request(asyncio.Event()), work()) == 7


async def test_failed_work_raises_its_own_error() -> None:
    async def work() -> None:
        raise NotFound("No such trace.")

    with pytest.raises(NotFound, match="No such trace"):
        await cancel_on_disconnect(_request(asyncio.Event()), work())


async def test_a_client_that_leaves_cancels_the_work_and_waits_for_its_clean_up() -> None:
    gone, events = asyncio.Event(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            events.append("cleaned up")

    asyncio.get_running_loop().call_later(0.01, gone.set)
    with pytest.raises(ClientClosedRequest):
        await cancel_on_disconnect(_request(gone), work())
    assert events == ["cleaned up"]


async def test_cancelling_the_handler_cancels_the_work() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    handler = asyncio.create_task(cancel_on_disconnect(_request(asyncio.Event()), work()))
    await started.wait()
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1
