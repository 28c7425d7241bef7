"""How much script the web UI's pages load, from the build's manifest. `python -m cli.web_budget` prints it."""

import gzip
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from embedded.layout import ROOT

# Compressed as the ui service sends it: a second on a slow line, and little enough to parse on an old laptop.
FIRST_LOAD_BYTES = 350 * 1024

Manifest = Mapping[str, Mapping[str, Any]]


def first_loads(static: Path) -> dict[str, int]:
    """Bytes of script until each page shows, by the page's module: the entry, the page, and what both import."""
    manifest: Manifest = orjson.loads((static / ".manifest.json").read_bytes())
    entry = next(name for name, chunk in manifest.items() if chunk.get("isEntry"))
    boot = sum(_packed(file) for file in (static / "assets").glob("theme-boot-*.js"))
    first = set(_chunks(manifest, entry))
    pages = sorted({page for chunk in first for page in manifest[chunk].get("dynamicImports", ())})
    return {
        page: boot + sum(_packed(static / manifest[chunk]["file"]) for chunk in first | set(_chunks(manifest, page)))
        for page in [entry, *pages]
    }


def over_budget(static: Path, limit: int = FIRST_LOAD_BYTES) -> list[str]:
    """One line for each page whose first load passes `limit`."""
    return [
        f"{page}: {size / 1024:.0f} KiB of script on first load, {limit / 1024:.0f} KiB are allowed; "
        "load what the first paint does not need with import()"
        for page, size in first_loads(static).items()
        if size > limit
    ]


def _chunks(manifest: Manifest, name: str) -> Iterator[str]:
    """The chunk and those it imports, each as often as it is reached."""
    yield name
    for imported in manifest[name].get("imports", ()):
        yield from _chunks(manifest, imported)


def _packed(file: Path) -> int:
    return len(gzip.compress(file.read_bytes(), 9)) if file.suffix == ".js" else 0


def main() -> None:
    """Print each page's weight."""
    for page, size in sorted(first_loads(ROOT / "services" / "ui" / "static").items(), key=lambda item: item[1]):
        sys.stdout.write(f"{size / 1024:7.1f} KiB  {page}\n")


if __name__ == "__main__":
    main()
