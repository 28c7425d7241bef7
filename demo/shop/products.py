"""What is for sale. Derived from the product id, so there is nothing to store."""

from random import Random

from demo.calls import stable

CATEGORIES = ("audio", "books", "garden", "kitchen", "outdoor", "toys")
CURRENCIES = ("USD", "EUR", "KRW", "JPY", "GBP")
_PRODUCTS = 240


def some_product(random: Random) -> str:
    """A product id; the popular ones come often (Pareto)."""
    return f"sku-{1000 + min(_PRODUCTS - 1, int(random.paretovariate(0.9)) - 1)}"


def price(product_id: str) -> float:
    """US dollars."""
    return 4.9 + stable(product_id, 180)


def category(product_id: str) -> str:
    return CATEGORIES[stable(product_id, len(CATEGORIES))]
