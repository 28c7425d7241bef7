"""SQL in files: one statement per file, named like the repository method, values bound as `{name:Type}` only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

_PARAMETER = re.compile(r"\{(\w+):[^{}]+\}")
# Texts in which a brace or a percent sign means nothing: string literals, quoted names and comments.
_OPAQUE = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_FOREIGN = re.compile(r"%\(\w+\)s|%s|\$\{?\w+|\{\w*\}")


class InvalidStatement(Exception):
    """A .sql file breaks the rules above; the message names file and rule."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `name` labels metrics and the store's query log; `parameters` are the names it binds."""

    name: str
    sql: str
    parameters: frozenset[str] = field(default=frozenset())

    def check(self, values: Mapping[str, Any]) -> None:
        """Raises ValueError unless exactly the statement's parameters are given; a missing tenant must not get far."""
        if missing := self.parameters - values.keys():
            raise ValueError(f"{self.name}: not bound: {', '.join(sorted(missing))}")
        if unknown := values.keys() - self.parameters:
            raise ValueError(f"{self.name}: no such parameter: {', '.join(sorted(unknown))}")


class Statements(Mapping[str, Statement]):
    """Statements by name; a missing one is a KeyError that lists what there is."""

    def __init__(self, statements: Mapping[str, Statement]) -> None:
        self._statements = dict(statements)

    def __getitem__(self, name: str) -> Statement:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"no statement {name!r}; there are {', '.join(sorted(self._statements))}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def load_statements(source: str | Path) -> Statements:
    """Read every `*.sql` of a directory, or of folder `queries` of a package named as in `services.analytics`.

    Raises InvalidStatement for an empty folder, several statements in a file, or values spliced in rather than bound.
    """
    folder: Traversable = files(source).joinpath("queries") if isinstance(source, str) else source
    found = {}
    if folder.is_dir():
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql"):
                name = file.name.removesuffix(".sql")
                found[name] = parse_statement(name, file.read_text(encoding="utf-8"))
    if not found:
        raise InvalidStatement(f"{folder}: no .sql files")
    return Statements(found)


def parse_statement(name: str, text: str) -> Statement:
    """A checked statement. Raises InvalidStatement."""
    sql = text.strip()
    sql = sql.removesuffix(";").rstrip()
    plain = _OPAQUE.sub(" ", sql)
    if not plain.strip():
        raise InvalidStatement(f"{name}: empty")
    if ";" in plain:
        raise InvalidStatement(f"{name}: one statement per file")
    if foreign := _FOREIGN.search(plain):
        raise InvalidStatement(f"{name}: {foreign.group()!r} splices a value in; bind it as {{name:Type}}")
    return Statement(name, sql, frozenset(_PARAMETER.findall(plain)))
