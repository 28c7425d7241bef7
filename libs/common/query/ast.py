"""What a condition means, before anything is known of columns: terms joined by AND, OR and NOT.

    Query = And | Or | Not | Comparison | Exists | Text | SpanSet | SpanPath

The last two are conditions on whole traces and stand in questions about traces only.

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
Scope: TypeAlias = Literal["resource", "span", "scope", "event", "link"]
SCOPES: tuple[Scope, ...] = ("resource", "span", "scope", "event", "link")
# `>` is a child of, `>>` is below, however deep.
PathStep: TypeAlias = Literal[">", ">>"]

# A word ends at a space, quote, parenthesis or operator; a lone `~` or `!` belongs to it.
WORD = re.compile(r'(?:[^\s"()=<>!]|!(?![=~]))+')
# Any number of characters, in a value or word that is not in quotes.
WILDCARD = "*"
# Separates the stages of a structured query.
PIPE = "|"
_URL = re.compile(r'(?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]*://[^\s"]*')
# `key:value`, as other languages write it. What has no name in front (times, addresses) or a path behind is a word.
_COLON = re.compile(r"([^\W\d][\w.@$/-]*):(?![:\s\\]|//)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """What a term looks at. `kind`: `name` is a built-in field or else an attribute of the record, then of its
    resource; `attribute` (written in quotes) is never a field; a scope is an attribute, or field, of that scope only.
    """

    name: str
    kind: Literal["name", "attribute"] | Scope = "name"
    position: int = field(default=0, compare=False)

    @property
    def path(self) -> str:
        """The name with its scope, as built-in fields are listed; attributes written in quotes have none."""
        return f"{self.kind}.{self.name}" if self.kind in SCOPES else self.name

    def __str__(self) -> str:
        if self.kind == "attribute":
            return quoted(self.name)
        if self.kind in SCOPES:
            return f"{self.kind}." + (self.name if _is_key_word(self.name) else quoted(self.name))
        return self.name


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of a term. Quoted it is a string; bare it may be a number, boolean, duration or name, and `*` in it
    stands for any characters.
    """

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
    """A word or phrase to find in the log body or span name, whatever its case. `wildcard`: `*` is any characters."""

    text: str
    wildcard: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SpanSet:
    """`{ condition }`: some span of the trace fits the whole condition; any span fits None."""

    condition: "Query | None"
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SpanPath:
    """`{ a } > { b } >> { c }`: spans that fit, each one step below the one before. At least two sets."""

    sets: tuple[SpanSet, ...]
    steps: tuple[PathStep, ...]
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


Query: TypeAlias = And | Or | Not | Comparison | Exists | Text | SpanSet | SpanPath
Leaf: TypeAlias = Comparison | Exists | Text


def conjunction(items: Iterable[Query]) -> Query:
    """`And` of the items, one level deep; a single item is itself. At least one item."""
    return _joined(And, items)


def disjunction(items: Iterable[Query]) -> Query:
    """`Or` of the items, one level deep; a single item is itself. At least one item."""
    return _joined(Or, items)


def terms(query: Query | None) -> Iterator[Leaf]:
    """The leaves, those of span sets too, in the order written."""
    match query:
        case And(items) | Or(items):
            for item in items:
                yield from terms(item)
        case Not(item):
            yield from terms(item)
        case SpanSet(condition):
            yield from terms(condition)
        case SpanPath(sets):
            for item in sets:
                yield from terms(item)
        case Comparison() | Exists() | Text():
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
        case Text(text, wildcard):
            return text if wildcard or is_plain_text(text) else quoted(text)
        case SpanSet(condition):
            return "{}" if condition is None else f"{{ {to_text(condition)} }}"
        case SpanPath(sets, steps):
            return to_text(sets[0]) + "".join(
                f" {step} {to_text(item)}" for step, item in zip(steps, sets[1:], strict=True)
            )


def quoted(text: str) -> str:
    """The text in double quotes. Only quote and backslash are escaped, so regular expressions stay readable."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_bare_value(text: str) -> bool:
    """Whether the text can stand behind an operator without quotes: no spaces or quotes, brackets in pairs."""
    if not text or text == PIPE or text[0] in "=~" or '"' in text or any(character.isspace() for character in text):
        return False
    return bare_length(text) == len(text) and has_pairs(text)


def bare_length(text: str) -> int:
    """How much of the text can stand without quotes before a closing bracket that was not opened in it."""
    parentheses = braces = 0
    for index, character in enumerate(text):
        parentheses += (character == "(") - (character == ")")
        braces += (character == "{") - (character == "}")
        if parentheses < 0 or braces < 0:
            return index
    return len(text)


def has_pairs(text: str) -> bool:
    """Whether as many parentheses and braces are opened as are closed."""
    return text.count("(") == text.count(")") and text.count("{") == text.count("}")


def url_at(text: str, position: int) -> str:
    """The URL that begins there, up to a space, a quote or a bracket of somebody else's; "" for none.

    A pasted URL is something to search for, whatever `=` and `?` it holds.
    """
    found = _URL.match(text, position)
    return found.group()[: bare_length(found.group())] if found else ""


def colon_pair(word: str) -> tuple[str, str] | None:
    """Key and value of `key:value`, the value "" where the word ends with the colon; None for any other word."""
    found = _COLON.fullmatch(word)
    return (found[1], found[2]) if found else None


def is_plain_text(text: str) -> bool:
    """Whether a text to search for means the same without quotes."""
    special = any(character in text for character in "*|{}:?") or text in EXISTS
    return _is_word(text) and not special


def _is_word(text: str) -> bool:
    return bool(text) and text not in KEYWORDS and text != PIPE and WORD.fullmatch(text) is not None


def _is_key_word(text: str) -> bool:
    return _is_word(text) and has_pairs(text) and bare_length(text) == len(text)


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
