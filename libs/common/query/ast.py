"""What a query means, before anything is known of columns: terms joined by AND, OR and NOT.

    Query = And | Or | Not | Comparison | Exists | Text

Nodes compare by meaning: `position`, a 0-based character offset for error messages, is left out. `And` and `Or` are
built by `conjunction` and `disjunction`, which flatten, so that every query has one tree.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Operator: TypeAlias = Literal["=", "!=", ">", ">=", "<", "<=", "=~", "!~"]
# Longest first, because the lexer takes the first that fits.
OPERATORS: tuple[Operator, ...] = ("!=", ">=", "<=", "=~", "!~", "=", ">", "<")
# Upper case only, because "and", "or" and "not" are words people search logs for.
KEYWORDS = frozenset({"AND", "OR", "NOT"})
EXISTS = frozenset({"exists", "EXISTS"})
RESOURCE_PREFIX = "resource."

# A word ends at a space, quote, parenthesis or operator; a lone `~` or `!` belongs to it.
WORD = re.compile(r'(?:[^\s"()=<>!]|!(?![=~]))+')


@dataclass(frozen=True, slots=True)
class Key:
    """What a term looks at. `kind`: `name` is a built-in field or else an attribute of the record, then of its
    resource; `attribute` (written in quotes) is never a field; `resource` is an attribute of the resource only.
    """

    name: str
    kind: Literal["name", "attribute", "resource"] = "name"
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if self.kind == "attribute":
            return quoted(self.name)
        if self.kind == "resource":
            return RESOURCE_PREFIX + (self.name if _is_word(self.name) else quoted(self.name))
        return self.name


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of a term. Quoted it is a string; bare it may be read as number, boolean, duration or name."""

    text: str
    quoted: bool = False
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return quoted(self.text) if self.quoted else self.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """`key operator value`; `position` is the operator's."""

    key: Key
    operator: Operator
    value: Value
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists key`: the record has the key, with whatever value."""

    key: Key
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A word or phrase to find in the log body or span name, whatever its case."""

    text: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    item: "Query"
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    items: "tuple[Query, ...]"
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    items: "tuple[Query, ...]"
    position: int = field(default=0, compare=False)


Query: TypeAlias = And | Or | Not | Comparison | Exists | Text


def conjunction(items: Iterable[Query]) -> Query:
    """`And` of the items, one level deep; a single item is itself. At least one item."""
    return _joined(And, items)


def disjunction(items: Iterable[Query]) -> Query:
    """`Or` of the items, one level deep; a single item is itself. At least one item."""
    return _joined(Or, items)


def terms(query: Query) -> Iterator[Comparison | Exists | Text]:
    """The leaves, in the order written."""
    match query:
        case And(items) | Or(items):
            for item in items:
                yield from terms(item)
        case Not(item):
            yield from terms(item)
        case _:
            yield query


def to_text(query: Query) -> str:
    """The query in its own language; parsing it gives an equal tree."""
    match query:
        case And(items):
            return " ".join(_inside(item, (Or,)) for item in items)
        case Or(items):
            return " OR ".join(to_text(item) for item in items)
        case Not(item):
            return f"NOT {_inside(item, (Or, And))}"
        case Comparison(key, operator, value):
            # Behind a key that ends with "!", an operator's "=" would read as "!="; quotes would make it another key.
            space = " " if str(key).endswith("!") else ""
            return f"{key}{space}{operator}{value}"
        case Exists(key):
            return f"exists {key}"
        case Text(text):
            return text if _is_word(text) and text not in EXISTS else quoted(text)


def quoted(text: str) -> str:
    """The text in double quotes. Only quote and backslash are escaped, so regular expressions stay readable."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_bare_value(text: str) -> bool:
    """Whether the text can stand behind an operator without quotes: no spaces or quotes, parentheses in pairs."""
    if not text or text[0] in "=~" or '"' in text or any(character.isspace() for character in text):
        return False
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _is_word(text: str) -> bool:
    return bool(text) and text not in KEYWORDS and WORD.fullmatch(text) is not None


def _inside(query: Query, wrapped: tuple[type, ...]) -> str:
    text = to_text(query)
    return f"({text})" if isinstance(query, wrapped) else text


def _joined(kind: type[And] | type[Or], items: Iterable[Query]) -> Query:
    flat: list[Query] = []
    for item in items:
        flat.extend(item.items if isinstance(item, kind) else (item,))
    if len(flat) == 1:
        return flat[0]
    return kind(tuple(flat), position=flat[0].position)
