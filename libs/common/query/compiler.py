"""Conditions and keys to SQL over the columns of a signal's table, and the parameters they name.

A record is a span, a log record (logs) or a data point (metrics). Key `name` of kind `name` is a built-in field of the signal
if there is one, else an attribute; attributes of the record go before those of its resource.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from libs.common.errors import InvalidQuery
from libs.common.query import elements
from libs.common.query.ast import (
    WILDCARD,
    And,
    Comparison,
    Exists,
    Key,
    Leaf,
    Not,
    Or,
    Query,
    SpanPath,
    SpanSet,
    Text,
    terms,
)
from libs.common.query.attributes import AttributeMaps, tagged_number
from libs.common.query.binding import Parameters, any_of
from libs.common.query.body import BODY_PREFIX, BodyPath
from libs.common.query.fields import Field
from libs.common.query.literals import String, like_escaped, like_pattern, literal, spellings
from libs.common.query.signals import CONDITIONS, RESOURCE, SCOPE, Nested, Signal, SignalDefinition

# Shorter texts have no n-gram to be looked up by, and folding every text costs more than looking through it.
_INDEXED_BYTES = 4


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
    """A boolean SQL expression and the values of its parameters."""

    sql: str
    parameters: dict[str, object] = field(default_factory=dict)


def fallback_keys(
    query: Query | None, signal: Signal, others: Iterable[Key] = (), definition: SignalDefinition | None = None
) -> frozenset[str]:
    """Attribute keys of the condition, and of `others`, that are looked up on the record and then on its resource."""
    definition = definition or CONDITIONS[signal]
    keys = [leaf.key for leaf in terms(query) if not isinstance(leaf, Text)]
    resolved = (_attribute_name(definition, key) for key in (*keys, *others))
    return frozenset(name for name in resolved if name is not None)


def compile_query(query: Query | None, signal: Signal, resources: ResourceScope) -> Condition:
    """The condition under which a record of the signal (of metrics, a series) matches; `true` for no query.

    Raises InvalidQuery where a key, operator and value do not go together.
    """
    if query is None:
        return Condition("true")
    compiler = RecordCompiler(CONDITIONS[signal], resources)
    sql = compiler.condition(query)
    return Condition(sql, compiler.parameters.values)


class RecordCompiler:
    """Writes SQL about one record of a signal. `resource_columns` collects what has to be joined from the resources.

    Text of the caller's never becomes SQL: it is bound in `parameters`.
    """

    def __init__(
        self, definition: SignalDefinition, resources: ResourceScope, parameters: Parameters | None = None
    ) -> None:
        self._definition = definition
        self._resources = resources
        self.parameters = parameters or Parameters()
        self.resource_columns: dict[str, str] = {}

    def condition(self, query: Query) -> str:
        """A boolean expression. Raises InvalidQuery."""
        match query:
            case And(items):
                return f"({' AND '.join(self.condition(item) for item in items)})"
            case Or(items):
                return f"({' OR '.join(self.condition(item) for item in items)})"
            case Not(item):
                return f"(NOT {self.condition(item)})"
            case SpanSet() | SpanPath():
                raise InvalidQuery(
                    "Sets of spans are for questions about traces.",
                    position=query.position,
                    expected="a condition on one record, as in service=web status=error",
                )
            case _:
                return self._leaf(query)

    def tagged(self, key: Key) -> str:
        """The key's value as a tagged payload, '' where absent. Raises InvalidQuery for what is not one value."""
        if (built_in := self._field(key)) is not None:
            found = built_in.tagged()
            if found is None:
                raise _no_single_value(key)
            return found
        if (body := self._body(key)) is not None:
            return body.tagged(self.parameters)
        name = _attribute_name(self._definition, key)
        if name is None:
            return self._scoped_tagged(key)
        own = self._definition.attributes.tagged(name, self.parameters)
        if not self._may_be_on_resource(name):
            return own
        # The value of the record is written twice: a column of its own would not be found by an alias in every place.
        return f"if(({self._definition.attributes.has(name, self.parameters)}), {own}, {self._resource_column(name)})"

    def number(self, key: Key) -> tuple[str, str | None]:
        """The key's value as Nullable(Float64), and its unit. Raises InvalidQuery for a field that is no number."""
        if (built_in := self._field(key)) is not None:
            found = built_in.number()
            if found is None:
                raise InvalidQuery(
                    f"{key} is no number.",
                    position=key.position,
                    expected="a number: a duration, an attribute or a value in a body",
                )
            return found, built_in.unit
        if (body := self._body(key)) is not None:
            return body.number(self.parameters), None
        name = _attribute_name(self._definition, key)
        if name is None:
            return tagged_number(self._scoped_tagged(key)), None
        own = self._definition.attributes.number(name, self.parameters)
        if not self._may_be_on_resource(name):
            return own, None
        has_own = self._definition.attributes.has(name, self.parameters)
        return f"if({has_own}, {own}, {tagged_number(self._resource_column(name))})", None

    def _field(self, key: Key) -> Field | None:
        return None if key.kind == "attribute" else self._definition.fields.get(key.path)

    def _body(self, key: Key) -> BodyPath | None:
        return _body_path(self._definition, key)

    def _may_be_on_resource(self, name: str) -> bool:
        return self._resources.keys is None or name in self._resources.keys

    def _leaf(self, term: Leaf) -> str:
        if isinstance(term, Text):
            return self._text(term)
        if (built_in := self._field(term.key)) is not None:
            if isinstance(term, Exists):
                return built_in.exists(self.parameters)
            return built_in.compare(term, self.parameters)
        if (body := self._body(term.key)) is not None:
            return body.exists(self.parameters) if isinstance(term, Exists) else body.compare(term, self.parameters)
        name = _attribute_name(self._definition, term.key)
        if name is None:
            return self._scoped(term)
        term = replace(term, key=replace(term.key, name=name))
        attributes = self._definition.attributes
        own = self._on(attributes, term)
        if not self._may_be_on_resource(name):
            return own
        has_own = attributes.has(name, self.parameters)
        return f"({own} OR (NOT {has_own} AND {self._of_resource(self._on(RESOURCE, term))}))"

    def _scoped(self, term: Comparison | Exists) -> str:
        match term.key.kind:
            case "resource":
                return self._on_resource(term)
            case "scope":
                return self._on(SCOPE, term)
            case "event" | "link" as scope if scope in self._definition.nested:
                return self._on_nested(self._definition.nested[scope], term)
            case _:
                return self._on(self._definition.attributes, term)

    def _scoped_tagged(self, key: Key) -> str:
        match key.kind:
            case "resource":
                return self._resource_column(key.name)
            case "scope":
                return SCOPE.tagged(key.name, self.parameters)
            case scope if scope in self._definition.nested:
                raise _no_single_value(key)
            case _:
                return self._definition.attributes.tagged(key.name, self.parameters)

    def _resource_column(self, name: str) -> str:
        """A column that the statement joins by fingerprint; '' where the resource has no such key."""
        return self.resource_columns.setdefault(name, f"resource_{len(self.resource_columns)}")

    def joined_resources(self) -> str:
        """The resources' columns that were asked for, as a relation by fingerprint; "" where none was."""
        if not self.resource_columns:
            return ""
        columns = ", ".join(
            f"any({RESOURCE.tagged(name, self.parameters)}) AS {column}"
            for name, column in self.resource_columns.items()
        )
        subquery = self._resources.subquery.replace(
            "SELECT resource_fingerprint", f"SELECT resource_fingerprint, {columns}", 1
        )
        return f"({subquery} GROUP BY resource_fingerprint)"

    def _on_resource(self, term: Comparison | Exists) -> str:
        # `service` is this very attribute, kept as a column in the sort key.
        if isinstance(term, Comparison) and (term.key.name, term.operator) == ("service.name", "="):
            value = literal(term.value)
            if isinstance(value, String) and value.text:
                return any_of([f"service = {self.parameters.text(text)}" for text in spellings(value.text)])
        return self._of_resource(self._on(RESOURCE, term))

    def _on(self, attributes: AttributeMaps, term: Comparison | Exists) -> str:
        if isinstance(term, Exists):
            return attributes.exists(term.key.name, self.parameters)
        return attributes.compare(term, self.parameters)

    def _on_nested(self, nested: Nested, term: Comparison | Exists) -> str:
        """Some event (or link) fits; `!=` and `!~` hold where some has the key, and none of them fits."""
        strings, others = (f"{nested.array}.{column}" for column in (nested.maps.strings, nested.maps.others))
        maps = AttributeMaps("s", "o")
        if isinstance(term, Comparison) and term.operator in {"!=", "!~"}:
            positive = replace(term, operator="=" if term.operator == "!=" else "=~")
            has, fits = maps.has(term.key.name, self.parameters), maps.compare(positive, self.parameters)
            return (
                f"(arrayExists((s, o) -> {has}, {strings}, {others}) "
                f"AND NOT arrayExists((s, o) -> {fits}, {strings}, {others}))"
            )
        return f"arrayExists((s, o) -> {self._on(maps, term)}, {strings}, {others})"

    def _of_resource(self, condition: str) -> str:
        return f"resource_fingerprint IN ({self._resources.subquery} AND {condition})"

    def _text(self, term: Text) -> str:
        column, structured = self._definition.text, self._definition.structured_text
        if column is None:
            raise InvalidQuery(
                f"Metrics have no text to search for {term.text!r}.",
                position=term.position,
                expected="a term with a key, as in host.name=web-1",
            )
        if term.wildcard and not term.text.strip(WILDCARD):
            return "true"
        found = self._found(column, term)
        if structured is None:
            return found
        # Structured bodies are kept encoded; their keys and texts are in there as they were sent, behind the tag byte.
        inside = [self._found(f"substring({structured}, 2)", term)]
        inside += [
            f"position({structured}, unhex({self.parameters.text(encoded.hex())})) > 0"
            for encoded in elements.values_anywhere(term.text)
        ]
        if term.text in {"true", "false"}:
            inside.append(f"{structured} = '{term.text[0]}'")
        return f"({found} OR (notEmpty({structured}) AND {structured} != 's' AND {any_of(inside)}))"

    def _found(self, column: str, term: Text) -> str:
        folded = self._definition.folded_text
        if folded is not None and column == self._definition.text and len(term.text.encode()) >= _INDEXED_BYTES:
            pattern = like_pattern(term.text) if term.wildcard else like_escaped(term.text)
            return f"{folded} LIKE lowerUTF8(normalizeUTF8NFC({self.parameters.text(f'%{pattern}%')}))"
        if term.wildcard:
            return f"{column} ILIKE {self.parameters.text(f'%{like_pattern(term.text)}%')}"
        return any_of(
            [f"{_position(text)}({column}, {self.parameters.text(text)}) > 0" for text in spellings(term.text)]
        )


def _attribute_name(definition: SignalDefinition, key: Key) -> str | None:
    """The attribute that the key means on the record or else its resource; None for a field or another scope."""
    if key.kind == "attribute":
        return key.name
    if key.path in definition.fields or _body_path(definition, key) is not None:
        return None
    if key.kind == "name":
        return key.name
    # `event.domain` of a log record is an attribute that is called so.
    known = key.kind in {"resource", "scope"} or key.kind == definition.own_scope or key.kind in definition.nested
    return None if known else key.path


def _body_path(definition: SignalDefinition, key: Key) -> BodyPath | None:
    body = definition.fields.get("body")
    if body is None or key.kind != "name" or not key.name.startswith(BODY_PREFIX) or key.name == BODY_PREFIX:
        return None
    assert definition.text is not None
    assert definition.structured_text is not None
    return BodyPath(definition.text, definition.structured_text, key.name.removeprefix(BODY_PREFIX))


def _no_single_value(key: Key) -> InvalidQuery:
    return InvalidQuery(
        f"A record may have several {key}, so records cannot be grouped or counted by it.",
        position=key.position,
        expected="a field or attribute with one value",
    )


def _position(needle: str) -> str:
    """The cheapest search that ignores case: none is needed for Hangul or digits, and bytes do for ASCII."""
    if needle.lower() == needle.upper():
        return "position"
    return "positionCaseInsensitive" if needle.isascii() else "positionCaseInsensitiveUTF8"
