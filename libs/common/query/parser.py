"""Text to tree.

    query      = [ or ]                         nothing matches everything
    or         = and { "OR" and }
    and        = not { [ "AND" ] not }
    not        = "NOT" not | term
    term       = "(" or ")" | "exists" key | key operator value | word | phrase
    key        = word | phrase | "resource." ( word | phrase )
    operator   = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~"
    value      = phrase | characters up to a space or an unpaired ")"

Recursive descent, because the grammar is small and its errors must point at a character.
"""

from libs.common.errors import InvalidQuery
from libs.common.query.ast import (
    EXISTS,
    KEYWORDS,
    RESOURCE_PREFIX,
    Comparison,
    Exists,
    Key,
    Not,
    Query,
    Text,
    conjunction,
    disjunction,
)
from libs.common.query.scanner import Scanner

# Far beyond what people type; a longer query is a program's mistake and would only load the store.
MAX_LENGTH = 4096
MAX_TERMS = 64
MAX_DEPTH = 32

_TERM = 'a term, as in service=checkout, duration>200ms, exists http.route, a word or a "phrase"'


def parse(text: str) -> Query | None:
    """The query's tree; None for an empty text, which matches everything. Raises InvalidQuery, never anything else."""
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(
            f"The query has {len(text)} characters; {MAX_LENGTH} is the most.",
            position=MAX_LENGTH,
            expected=f"at most {MAX_LENGTH} characters",
        )
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise InvalidQuery(
                f"The character at position {position} is no text.", position=position, expected="Unicode text"
            )
    parser = _Parser(text)
    return parser.parse()


def parse_key(text: str) -> Key:
    """A key alone, as `exists` takes it. Raises InvalidQuery."""
    parser = _Parser(text)
    key = parser.key()
    if not parser.scanner.at_end():
        raise InvalidQuery(
            "A key is one word or one phrase in quotes.",
            position=parser.scanner.position,
            expected="the end of the key",
        )
    return key


class _Parser:
    def __init__(self, text: str) -> None:
        self.scanner = Scanner(text)
        self._terms = 0

    def parse(self) -> Query | None:
        if self.scanner.at_end():
            return None
        query = self._or(0)
        if not self.scanner.at_end():
            raise self._unexpected()
        return query

    def key(self) -> Key:
        position = self._place()
        if self.scanner.peek() == '"':
            return Key(self.scanner.phrase(), "attribute", position)
        word = self.scanner.word()
        if word is None or word in KEYWORDS:
            self.scanner.position = position
            raise InvalidQuery(
                f"There is no key at position {position}.",
                position=position,
                expected='a key, as in http.route, resource.host.name or "any text"',
            )
        return self._key_of(word, position)

    def _or(self, depth: int) -> Query:
        if depth > MAX_DEPTH:
            raise InvalidQuery(
                f"The query is nested deeper than {MAX_DEPTH} levels.",
                position=self.scanner.position,
                expected="fewer parentheses and NOTs",
            )
        items = [self._and(depth)]
        while self._keyword("OR"):
            items.append(self._and(depth))
        return disjunction(items)

    def _and(self, depth: int) -> Query:
        items = [self._not(depth)]
        while self._keyword("AND") or self._starts_term():
            items.append(self._not(depth))
        return conjunction(items)

    def _not(self, depth: int) -> Query:
        position = self._place()
        negations = 0
        while self._keyword("NOT"):
            negations += 1
            if depth + negations > MAX_DEPTH:
                raise InvalidQuery(
                    f"The query is nested deeper than {MAX_DEPTH} levels.",
                    position=position,
                    expected="fewer parentheses and NOTs",
                )
        item = self._term(depth + negations)
        for _ in range(negations):
            item = Not(item, position=position)
        return item

    def _term(self, depth: int) -> Query:
        position = self._place()
        if self.scanner.take("("):
            query = self._or(depth + 1)
            if not self.scanner.take(")"):
                raise InvalidQuery(
                    f"The parenthesis opened at position {position} is never closed.",
                    position=self.scanner.position,
                    expected="a closing parenthesis",
                )
            return query
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidQuery(
                f"The query has more than {MAX_TERMS} terms.", position=position, expected=f"at most {MAX_TERMS} terms"
            )
        if self.scanner.peek() == '"':
            phrase = self.scanner.phrase()
            return self._comparison(Key(phrase, "attribute", position)) or self._text(phrase, position)
        word = self.scanner.word()
        if word is None or word in KEYWORDS:
            self.scanner.position = position
            raise self._unexpected()
        if word in EXISTS and self._starts_key():
            return Exists(self.key(), position=position)
        return self._comparison_or_text(word, position)

    def _comparison_or_text(self, word: str, position: int) -> Query:
        after_word = self.scanner.position
        key = self._key_of(word, position)
        comparison = self._comparison(key)
        if comparison is not None:
            return comparison
        # Only an operator makes it a key; `resource."x y"` without one is a word and a phrase.
        self.scanner.position = after_word
        return Text(word, position=position)

    def _comparison(self, key: Key) -> Comparison | None:
        position = self._place()
        operator = self.scanner.operator()
        if operator is None:
            return None
        return Comparison(key, operator, self.scanner.value(), position=position)

    def _text(self, phrase: str, position: int) -> Text:
        if not phrase:
            raise InvalidQuery(
                f"The phrase at position {position} is empty.", position=position, expected="text inside the quotes"
            )
        return Text(phrase, position=position)

    def _key_of(self, word: str, position: int) -> Key:
        if word == RESOURCE_PREFIX and self.scanner.text[self.scanner.position : self.scanner.position + 1] == '"':
            return Key(self.scanner.phrase(), "resource", position)
        if word.startswith(RESOURCE_PREFIX) and len(word) > len(RESOURCE_PREFIX):
            return Key(word.removeprefix(RESOURCE_PREFIX), "resource", position)
        return Key(word, "name", position)

    def _keyword(self, keyword: str) -> bool:
        start = self.scanner.position
        if self.scanner.word() == keyword:
            return True
        self.scanner.position = start
        return False

    def _starts_key(self) -> bool:
        start = self.scanner.position
        character = self.scanner.peek()
        word = self.scanner.word()
        self.scanner.position = start
        return character == '"' or (word is not None and word not in KEYWORDS)

    def _starts_term(self) -> bool:
        start = self.scanner.position
        character = self.scanner.peek()
        word = self.scanner.word()
        self.scanner.position = start
        return character in {'"', "("} or (word is not None and word not in {"AND", "OR"})

    def _place(self) -> int:
        self.scanner.peek()
        return self.scanner.position

    def _unexpected(self) -> InvalidQuery:
        position = self._place()
        rest = self.scanner.text[position : position + 20]
        found = f"{rest!r} at position {position}" if rest else "the end of the query"
        return InvalidQuery(f"The query cannot go on with {found}.", position=position, expected=_TERM)
