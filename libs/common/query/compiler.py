"""Tree to SQL: a boolean expression over the columns of a signal's table, and the parameters it names.

A record is a span (traces), a log record (logs) or a data point (metrics). Key `name` of kind `name` is a built-in field
of the signal if there is one, else an attribute; attributes of the record go before those of its resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from libs.common.errors import InvalidQuery
from libs.common.query.ast import And, Comparison, Exists, Key, Not, Or, Query, Text, terms
from libs.common.query.attributes import AttributeMaps
from libs.common.query.binding import Parameters
from libs.common.query.fields import LOG_FIELDS, METRIC_FIELDS, TRACE_FIELDS, Field
from libs.common.query.literals import String, literal


class Signal(StrEnum):
    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class SignalColumns:
    """What the compiler knows of a signal's table. `text` is searched by bare words (None: not possible)."""

    fields: Mapping[str, Field]
    attributes: AttributeMaps
    text: str | None
    structured_text: str | None = None


_NUMBERED = AttributeMaps("attributes_string", "attributes_other", "attributes_int", "attributes_double")
_TAGGED = AttributeMaps("attributes_string", "attributes_other")
_RESOURCE = AttributeMaps("resource_string", "resource_other")
COLUMNS: Mapping[Signal, SignalColumns] = {
    Signal.TRACES: SignalColumns(TRACE_FIELDS, _NUMBERED, text="name"),
    Signal.LOGS: SignalColumns(LOG_FIELDS, _NUMBERED, text="body", structured_text="body_other"),
    Signal.METRICS: SignalColumns(METRIC_FIELDS, _TAGGED, text=None),
}


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """Where conditions on resources are answered: they are few, so the store keeps each once, by fingerprint.

    `subquery` is a complete SELECT of the fingerprints in question, ending in a WHERE to which ` AND ...` can be added.
    `keys`, when known, are the keys any of these resources has, among `fallback_keys`; others need no look at them.
    """

    subquery: str
    keys: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A boolean SQL expression and the values of its `{q<n>:Type}` parameters."""

    sql: str
    parameters: dict[str, object] = field(default_factory=dict)


def fallback_keys(query: Query | None, signal: Signal) -> frozenset[str]:
    """Attribute keys that are looked up on the record and then on its resource."""
    fields = COLUMNS[signal].fields
    leaves = terms(query) if query is not None else ()
    keys = (leaf.key for leaf in leaves if not isinstance(leaf, Text))
    return frozenset(
        key.name for key in keys if key.kind == "attribute" or (key.kind == "name" and key.name not in fields)
    )


def compile_query(query: Query | None, signal: Signal, resources: ResourceScope) -> Condition:
    """The condition under which a record of the signal matches; `true` for no query.

    Raises InvalidQuery where a key, operator and value do not go together.
    """
    if query is None:
        return Condition("true")
    compiler = _Compiler(COLUMNS[signal], resources)
    sql = compiler.compile(query)
    return Condition(sql, compiler.parameters.values)


class _Compiler:
    def __init__(self, columns: SignalColumns, resources: ResourceScope) -> None:
        self._columns = columns
        self._resources = resources
        self.parameters = Parameters()

    def compile(self, query: Query) -> str:
        match query:
            case And(items):
                return f"({' AND '.join(self.compile(item) for item in items)})"
            case Or(items):
                return f"({' OR '.join(self.compile(item) for item in items)})"
            case Not(item):
                return f"(NOT {self.compile(item)})"
            case Text():
                return self._text(query)
            case Comparison(key) | Exists(key):
                return self._term(query, key)

    def _term(self, term: Comparison | Exists, key: Key) -> str:
        if key.kind == "resource":
            return self._on_resource(term)
        if key.kind == "name" and (built_in := self._columns.fields.get(key.name)) is not None:
            if isinstance(term, Exists):
                return built_in.exists(self.parameters)
            return built_in.compare(term, self.parameters)
        attributes = self._columns.attributes
        own = self._on(attributes, term)
        if self._resources.keys is not None and key.name not in self._resources.keys:
            return own
        has_own = attributes.exists(key.name, self.parameters)
        return f"({own} OR (NOT {has_own} AND {self._of_resource(self._on(_RESOURCE, term))}))"

    def _on_resource(self, term: Comparison | Exists) -> str:
        # `service` is this very attribute, kept as a column in the sort key.
        if isinstance(term, Comparison) and (term.key.name, term.operator) == ("service.name", "="):
            value = literal(term.value)
            if isinstance(value, String) and value.text:
                return f"service = {self.parameters.text(value.text)}"
        return self._of_resource(self._on(_RESOURCE, term))

    def _on(self, attributes: AttributeMaps, term: Comparison | Exists) -> str:
        if isinstance(term, Exists):
            return attributes.exists(term.key.name, self.parameters)
        return attributes.compare(term, self.parameters)

    def _of_resource(self, condition: str) -> str:
        return f"resource_fingerprint IN ({self._resources.subquery} AND {condition})"

    def _text(self, term: Text) -> str:
        column, structured = self._columns.text, self._columns.structured_text
        if column is None:
            raise InvalidQuery(
                f"Metrics have no text to search for {term.text!r}.",
                position=term.position,
                expected="a term with a key, as in host.name=web-1",
            )
        needle = self.parameters.text(term.text)
        found = f"{_position(term.text)}({column}, {needle}) > 0"
        if structured is None:
            return found
        # Structured bodies are kept encoded; their keys and texts are in there as they were sent, behind the tag byte.
        inside = f"{_position(term.text)}(substring({structured}, 2), {needle}) > 0"
        return f"({found} OR (length({structured}) > 1 AND {inside}))"


def _position(needle: str) -> str:
    """The cheapest search that ignores case: none is needed for Hangul or digits, and bytes do for ASCII."""
    if needle.lower() == needle.upper():
        return "position"
    return "positionCaseInsensitive" if needle.isascii() else "positionCaseInsensitiveUTF8"
