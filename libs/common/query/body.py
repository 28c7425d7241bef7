"""A value inside a log body, by its path: `body.order.id` of the text {"order": {"id": 7}}, or of a structured body."""

import re
from dataclasses import dataclass

from libs.common.query import elements
from libs.common.query.ast import Comparison, Operator
from libs.common.query.attributes import text_number
from libs.common.query.binding import Parameters, any_of, refuse_operator
from libs.common.query.literals import (
    Boolean,
    Literal,
    Number,
    String,
    Wildcard,
    literal,
    regular_expression,
    spellings,
)

BODY_PREFIX = "body."
# Names that JSON writes as they are; others may be escaped, and so cannot be looked for as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class BodyPath:
    """`text` is the column of text bodies, `payload` of structured ones. Arrays are searched by element, equality only.

    A name with dots in it is tried as one key as well as a path of several.
    """

    text: str
    payload: str
    path: str

    def exists(self, parameters: Parameters) -> str:
        entry = elements.entry_start(self._names[-1])
        inside = (
            f"(startsWith({self.payload}, 'k') AND position({self.payload}, unhex({parameters.text(entry.hex())})) > 0)"
        )
        return f"({self._in_json([f'JSONHas({place})' for place in self._places(parameters)], parameters)} OR {inside})"

    def compare(self, term: Comparison, parameters: Parameters) -> str:
        if term.operator in {"!=", "!~"}:
            positive = Comparison(term.key, "=" if term.operator == "!=" else "=~", term.value, term.position)
            return f"({self.exists(parameters)} AND NOT {self.compare(positive, parameters)})"
        value = literal(term.value)
        if isinstance(value, Wildcard) and value.is_anything and term.operator == "=":
            return self.exists(parameters)
        found = [self._json_holds(place, term, value, parameters) for place in self._places(parameters)]
        choices = [self._in_json(found, parameters)]
        if term.operator == "=" and not isinstance(value, Wildcard):
            encoded = any_of(
                [
                    f"position({self.payload}, unhex({parameters.text(item.hex())})) > 0"
                    for item in elements.entries(self._names[-1], value)
                ]
            )
            choices.append(f"(startsWith({self.payload}, 'k') AND {encoded})")
        return any_of(choices)

    def tagged(self, parameters: Parameters) -> str:
        """The value as a tagged payload; what is no string, number or boolean is given as its JSON text."""
        choices = [
            part
            for place in self._places(parameters)
            for part in (
                f"JSONType({place}) = 'String', concat('s', JSONExtractString({place}))",
                f"JSONType({place}) IN ('Int64', 'UInt64'), concat('i', JSONExtractRaw({place}))",
                f"JSONType({place}) = 'Double', concat('d', toString(JSONExtractFloat({place})))",
                f"JSONType({place}) = 'Bool', if(JSONExtractBool({place}), 't', 'f')",
                f"JSONType({place}) IN ('Array', 'Object'), concat('s', JSONExtractRaw({place}))",
            )
        ]
        return f"multiIf(NOT {self._may_have(parameters)}, '', {', '.join(choices)}, '')"

    def number(self, parameters: Parameters) -> str:
        """The value as Nullable(Float64): a number, or a string that is one."""
        choices = [
            part
            for place in self._places(parameters)
            for part in (
                f"JSONType({place}) IN ('Int64', 'UInt64', 'Double'), toNullable(JSONExtractFloat({place}))",
                f"JSONType({place}) = 'String', {text_number(f'JSONExtractString({place})')}",
            )
        ]
        return f"multiIf(NOT {self._may_have(parameters)}, NULL, {', '.join(choices)}, NULL)"

    @property
    def _names(self) -> list[str]:
        return self.path.split(".")

    def _places(self, parameters: Parameters) -> list[str]:
        """Arguments of the JSON functions: the body and the names on the way."""
        paths = [self._names, [self.path]] if len(self._names) > 1 else [self._names]
        return [f"{self.text}, {', '.join(parameters.text(name) for name in path)}" for path in paths]

    def _may_have(self, parameters: Parameters) -> str:
        """Cheap and true of every body that has the key: parsing is for those."""
        condition = f"startsWith(trimLeft({self.text}), '{{')"
        name = self._names[-1]
        if _PLAIN.fullmatch(name):
            return f"({condition} AND position({self.text}, {parameters.text(name)}) > 0)"
        return condition

    def _in_json(self, found: list[str], parameters: Parameters) -> str:
        return f"({self._may_have(parameters)} AND {any_of(found)})"

    def _json_holds(self, place: str, term: Comparison, value: Literal, parameters: Parameters) -> str:
        kind, text = f"JSONType({place})", f"JSONExtractString({place})"
        operator: Operator = term.operator
        texts: tuple[str, ...] = ()
        if operator == "=~":
            bound = parameters.text(regular_expression(term.value))
            return f"({kind} IN ('String', 'Int64', 'UInt64') AND match(if({kind} = 'String', {text}, JSONExtractRaw({place})), {bound}))"
        match value:
            case Number(number, written):
                bound = parameters.number(number)
                choices = [
                    f"({kind} IN ('Int64', 'UInt64') AND JSONExtractInt({place}) {operator} {bound})",
                    f"({kind} = 'Double' AND JSONExtractFloat({place}) {operator} {bound})",
                ]
                texts = (written,) if operator == "=" else ()
            case Boolean(truth, written):
                if operator != "=":
                    raise refuse_operator(term, ("=", "!=", "=~", "!~"))
                choices = [f"({kind} = 'Bool' AND JSONExtractBool({place}) = {int(truth)})"]
                texts = (written,)
            case Wildcard():
                if operator != "=":
                    raise refuse_operator(term, ("=", "!=", "=~", "!~"))
                return f"({kind} = 'String' AND {text} LIKE {parameters.text(value.pattern)})"
            case String(written):
                choices = []
                texts = spellings(written) if operator == "=" else ()
                if operator != "=":
                    choices = [f"({kind} = 'String' AND {text} {operator} {parameters.text(written)})"]
        for written in texts:
            bound = parameters.text(written)
            choices.append(f"({kind} = 'String' AND {text} = {bound})")
            choices.append(f"({kind} = 'Array' AND has(JSONExtract({place}, 'Array(String)'), {bound}))")
        return any_of(choices)
