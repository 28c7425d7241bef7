"""Names the semantic conventions know today, from the package that carries them."""

import re
from functools import cache
from pathlib import Path

import opentelemetry.semconv

_ROOT = Path(next(iter(opentelemetry.semconv.__path__)))
_CONSTANT = re.compile(
    r'^[A-Z0-9_]+: Final(?:\[str\])? = \(?\s*"([a-z0-9_.]+)"\s*\)?\n"""(.*?)"""', re.MULTILINE | re.DOTALL
)


@cache
def attribute_names() -> frozenset[str]:
    return _current("attributes")


@cache
def metric_names() -> frozenset[str]:
    return _current("metrics")


def _current(what: str) -> frozenset[str]:
    names = set()
    for folder in (_ROOT / what, _ROOT / "_incubating" / what):
        for module in folder.glob("*.py"):
            for name, doc in _CONSTANT.findall(module.read_text()):
                # "Deprecated in favor of stable ..." moved to another module; the name lives on.
                if not doc.strip().startswith("Deprecated:"):
                    names.add(name)
    return frozenset(names)
