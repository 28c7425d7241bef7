from collections.abc import AsyncIterator

import pytest

from tests.unit.libs.common.workers.shop_floor import Floor


@pytest.fixture
async def floor() -> AsyncIterator[Floor]:
    floor = Floor()
    yield floor
    await floor.close()
