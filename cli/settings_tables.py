"""Tables of settings in the services' README files, from the settings' own code. `python -m cli.settings_tables`.

A README asks for one with `<!-- settings: services.ingestion.settings.WriterSettings -->`; all up to `<!-- end -->` is written by
`--write`. What a setting is for stands as a comment above its field.
"""

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from embedded.layout import ROOT
from libs.common.settings import SettingsGroup

_BLOCK = re.compile(r"(<!-- settings: ([\w.]+)\.(\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_FIELD = re.compile(r"    (\w+): ")
_UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def table(group: type[SettingsGroup]) -> str:
    """The Markdown table of a group: variable, default, meaning."""
    prefix, comments = group.model_config.get("env_prefix", ""), _comments(group)
    rows = [
        f"| `{prefix}{name.upper()}` | {_default(name, field)} | {comments.get(name, '')} |"
        for name, field in group.model_fields.items()
    ]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows, ""])


def fill(text: str) -> str:
    """The README with every table as the code has it now."""

    def block(match: re.Match[str]) -> str:
        group = getattr(importlib.import_module(match[2]), match[3])
        return match[1] + table(group) + match[5]

    return _BLOCK.sub(block, text)


def stale(root: Path) -> Iterator[Path]:
    """README files of services whose tables are not what the code says."""
    for path in sorted(root.glob("services/*/README.md")):
        text = path.read_text(encoding="utf-8")
        if fill(text) != text:
            yield path


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """0 when all tables are up to date, or have been brought there."""
    parser = argparse.ArgumentParser(prog="python -m cli.settings_tables", description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the tables up to date")
    arguments = parser.parse_args(argv)
    found = list(stale(root))
    for path in found:
        if arguments.write:
            path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            sys.stderr.write(f"{path.relative_to(root)}: settings changed; python -m cli.settings_tables --write\n")
    return 1 if found and not arguments.write else 0


def _comments(group: type[SettingsGroup]) -> dict[str, str]:
    comments: dict[str, str] = {}
    above: list[str] = []
    groups = [base for base in reversed(group.__mro__) if issubclass(base, SettingsGroup) and base is not SettingsGroup]
    for line in (line for base in groups for line in inspect.getsource(base).splitlines()):
        if line.lstrip().startswith("#"):
            above.append(line.strip().removeprefix("#").strip())
            continue
        if match := _FIELD.match(line):
            comments[match[1]] = " ".join(above).replace("|", "\\|")
        above.clear()
    return comments


def _default(name: str, field: FieldInfo) -> str:
    value = field.get_default()
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        value = value.relative_to(ROOT)  # where this checkout lies is nobody's default
    if name.endswith("bytes") and isinstance(value, int) and value:
        for size, unit in _UNITS:
            if value % size == 0:
                return f"{value // size} {unit}"
    if isinstance(value, bool):
        return str(value).lower()
    if value in {"", ()}:
        return "none"
    return f"`{value}`" if isinstance(value, str) else str(value)


if __name__ == "__main__":
    sys.exit(main())
