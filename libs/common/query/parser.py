"""Text to tree.

    query      = [ or ]                         nothing matches everything
    or         = and { "OR" and }
    and        = not { [ "AND" ] not }
    not        = "NOT" not | term
    term       = "(" or ")" | "exists" key | key operator value | name ":" value | url | word | phrase
               | set { ( ">" | ">>" ) set }     in questions about traces
    set        = "{" [ or ] "}"
    key        = word | phrase | scope "." ( word | phrase )
    scope      = "resource" | "span" | "scope" | "event" | "link"
    operator   = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~"
    value      = phrase | characters up to a space or a bracket that was not opened in it

Recursive descent, because the grammar is small and its errors must point at a character.
"""

from libs.common.errors import InvalidQuery
from libs.common.query.ast import (
    EXISTS,
    KEYWORDS,
    PIPE,
    SCOPES,
    WILDCARD,
    Comparison,
    Exists,
    Key,
    Not,
    PathStep,
    Query,
    SpanPath,
    SpanSet,
    Text,
    bare_length,
    colon_pair,
    conjunction,
    disjunction,
    url_at,
)
from libs.common.query.scanner import Scanner

# Far beyond what people type; a longer query is a program's mistake and would only load the store.
MAX_LENGTH = 4096
MAX_TERMS = 64
MAX_DEPTH = 32
MAX_PATH = 4

_TERM = 'a term, as in service=checkout, duration>200ms, exists http.route, a word or a "phrase"'


def parse(text: str, *, traces: bool = False) -> Query | None:
    """The condition's tree; None for an empty text, which matches everything. Raises InvalidQuery, never anything else.

    `traces`: it is a condition on whole traces, which may speak of sets of spans.
    """
    check_text(text)
    return ConditionParser(Scanner(text), traces=traces).parse()


def check_text(text: str) -> None:
    """Raises InvalidQuery for what is too long or no text."""
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


def parse_key(text: str) -> Key:
    """A key alone, as `exists` takes it. Raises InvalidQuery."""
    parser = ConditionParser(Scanner(text))
    key = parser.key()
    if not parser.scanner.at_end():
        raise InvalidQuery(
            "A key is one word or one phrase in quotes.",
            position=parser.scanner.position,
            expected="the end of the key",
        )
    return key


class ConditionParser:
    """Reads a condition from where the scanner stands."""

    def __init__(self, scanner: Scanner, *, traces: bool = False) -> None:
        self.scanner = scanner
        self._traces = traces
        self._terms = 0

    def parse(self) -> Query | None:
        """All of the rest. Raises InvalidQuery."""
        query = self.condition()
        if not self.scanner.at_end():
            raise self._unexpected()
        return query

    def condition(self) -> Query | None:
        """Up to what cannot belong to a condition; None where nothing does. Raises InvalidQuery."""
        return self._or(0) if self._starts_term() else None

    def key(self) -> Key:
        position = self._place()
        if self.scanner.peek() == '"':
            return Key(self.scanner.phrase(), "attribute", position)
        word = self.scanner.word()
        if word is None or word in KEYWORDS or word == PIPE:
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
        if self._opens_set():
            return self._path(depth)
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidQuery(
                f"The query has more than {MAX_TERMS} terms.", position=position, expected=f"at most {MAX_TERMS} terms"
            )
        if self.scanner.peek() == '"':
            phrase = self.scanner.phrase()
            return self._comparison(Key(phrase, "attribute", position)) or self._text(phrase, position)
        if url := url_at(self.scanner.text, position):
            return Text(self.scanner.run(len(url)), position=position)
        word = self.scanner.word()
        if word is None or word in KEYWORDS or word == PIPE or (self._traces and word.startswith("}")):
            self.scanner.position = position
            raise self._unexpected()
        if word in EXISTS and self._starts_key():
            return Exists(self.key(), position=position)
        return self._comparison_or_text(word, position)

    def _comparison_or_text(self, word: str, position: int) -> Query:
        after_word = self.scanner.position
        if word.startswith("/") and "?" in word:  # a path with its parameters is something to search for, like a URL
            return self._pasted(position)
        pair = colon_pair(word)
        if pair is None or not url_at(pair[1], 0):
            comparison = self._comparison(self._key_of(word, position))
            if comparison is not None:
                return comparison
        # Only an operator makes it a key; `resource."x y"` without one is a word and a phrase.
        self.scanner.position = after_word
        if pair is not None and (pair[1] or self.scanner.text[after_word : after_word + 1] == '"'):
            colon = position + len(pair[0])
            self.scanner.position = colon + 1
            return Comparison(self._key_of(pair[0], position), "=", self.scanner.value(), position=colon)
        return Text(word, wildcard=WILDCARD in word, position=position)

    def _pasted(self, position: int) -> Text:
        text = self.scanner.text[position:]
        length = next(
            (index for index, character in enumerate(text) if character.isspace() or character == '"'), len(text)
        )
        self.scanner.position = position
        return Text(self.scanner.run(bare_length(text[:length])), position=position)

    def _opens_set(self) -> bool:
        return self._traces and not self.scanner.in_braces and self.scanner.peek() == "{"

    def _path(self, depth: int) -> Query:
        position = self._place()
        sets, steps = [self._set(depth)], list[PathStep]()
        while self.scanner.take(">"):
            below = self.scanner.text[self.scanner.position : self.scanner.position + 1] == ">"
            self.scanner.position += below
            if self.scanner.peek() != "{":
                raise InvalidQuery(
                    f"There is no span set at position {self.scanner.position}.",
                    position=self.scanner.position,
                    expected="a span set in braces, as in { service=web } >> { status=error }",
                )
            steps.append(">>" if below else ">")
            sets.append(self._set(depth))
            if len(sets) > MAX_PATH:
                raise InvalidQuery(
                    f"The path has more than {MAX_PATH} span sets.", position=position, expected=f"at most {MAX_PATH}"
                )
        return SpanPath(tuple(sets), tuple(steps), position=position) if steps else sets[0]

    def _set(self, depth: int) -> SpanSet:
        position = self._place()
        self.scanner.take("{")
        self.scanner.in_braces = True
        condition = None if self.scanner.peek() == "}" else self._or(depth + 1)
        self.scanner.in_braces = False
        if not self.scanner.take("}"):
            raise InvalidQuery(
                f"The brace opened at position {position} is never closed.",
                position=self.scanner.position,
                expected="a closing brace",
            )
        return SpanSet(condition, position=position)

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
        for scope in SCOPES:
            prefix = f"{scope}."
            if word == prefix and self.scanner.text[self.scanner.position : self.scanner.position + 1] == '"':
                return Key(self.scanner.phrase(), scope, position)
            if word.startswith(prefix) and len(word) > len(prefix):
                return Key(word.removeprefix(prefix), scope, position)
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
        return character == '"' or (word is not None and word not in KEYWORDS and word != PIPE)

    def _starts_term(self) -> bool:
        start = self.scanner.position
        character = self.scanner.peek()
        word = self.scanner.word()
        self.scanner.position = start
        if character in {'"', "("} or self._opens_set():
            return True
        return character not in {"", ")", "}"} if word is None else word not in {"AND", "OR", PIPE}

    def _place(self) -> int:
        self.scanner.peek()
        return self.scanner.position

    def _unexpected(self) -> InvalidQuery:
        position = self._place()
        rest = self.scanner.text[position : position + 20]
        if rest.startswith(PIPE):
            return InvalidQuery(
                f"The '|' at position {position} begins a stage of a structured query, and this is a condition.",
                position=position,
                expected=f'{_TERM}; "|" in quotes to search for it, or /api/v1/query to ask a structured query',
            )
        found = f"{rest!r} at position {position}" if rest else "the end of the query"
        return InvalidQuery(f"The query cannot go on with {found}.", position=position, expected=_TERM)
