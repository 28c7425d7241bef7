import pytest

from tests.unit.demo.shops import Shop


@pytest.fixture(scope="package")
def quiet():
    """Ten minutes without faults; all traces whole."""
    shop = Shop(rate=4.0).run(600).finish()
    yield shop
    shop.close()
