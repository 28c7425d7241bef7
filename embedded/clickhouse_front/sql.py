"""Just enough of ClickHouse's SQL to serve it over HTTP: where the data of an INSERT begins, which FORMAT a query ends with,
where a trailing clause may be put.

Tokens follow ClickHouse's own lexer (src/Parsers/Lexer.cpp): quotes with backslash and doubled escapes, back-quoted and
double-quoted identifiers, `--`, `#` and `/* */` comments, `$tag$` heredocs. Text is latin-1 here, one character for one byte,
so that positions in it are positions in a request body whose later part may be binary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

_TOKEN = re.compile(
    r"""
      (?P<space>   [\s\x00]+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string>  '(?:[^'\\]++|\\.|'')*+' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<quoted>  `(?:[^`\\]++|\\.|``)*+` | "(?:[^"\\]++|\\.|"")*+" )
    | (?P<word>    [A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]* )
    | (?P<number>  [0-9][A-Za-z0-9_.]* )
    | (?P<sign>    . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_BLANKS = " \t\f\r"


class SqlError(ValueError):
    """The statement cannot be served; `code` and `name` are ClickHouse's own."""

    def __init__(self, code: int, name: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.name, self.detail = code, name, detail


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


@dataclass(frozen=True, slots=True)
class Query:
    """A statement without data. `body` plus `closing` (`FORMAT name ...`, or nothing) is its text without semicolon."""

    verb: str
    body: str
    closing: str = ""
    format: str | None = None
    temporary: bool = False

    @property
    def text(self) -> str:
        return self.body + self.closing

    @property
    def has_rows(self) -> bool:
        """Whether the statement is a SELECT, whose result may be large and whose syntax takes INTO OUTFILE."""
        return self.verb in {"SELECT", "WITH", "(", "FROM"}

    def writing_to(self, path: str, default_format: str) -> str:
        """The SELECT with its result written, formatted, into the file at `path`."""
        closing = self.closing or f"FORMAT {default_format}"
        return f"{self.body}\nINTO OUTFILE {quote(path)} APPEND COMPRESSION 'none' {closing}"


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT with data: `before` and `after` surround the place that names its source; data begins at `data_start`.

    `structure` is None for a plain INSERT ... FORMAT, else the arguments of `input(...)` in an INSERT ... SELECT.
    """

    before: str
    after: str
    format: str
    data_start: int
    structure: str | None = None

    verb = "INSERT"

    @property
    def written(self) -> str:
        """The INSERT as the client wrote it, without the data."""
        if self.structure is None:
            return f"{self.before} {self.after}"
        return f"{self.before}input({self.structure}){self.after} FORMAT {self.format}"

    def reading_from(self, path: str) -> str:
        """The INSERT with the file at `path` as its data."""
        if self.structure is None:
            return f"{self.before} FROM INFILE {quote(path)} COMPRESSION 'none' {self.after}"
        return f"{self.before}file({quote(path)}, {quote(self.format)}, {self.structure}){self.after}"


def quote(value: str) -> str:
    """A ClickHouse string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_identifier(value: str) -> str:
    """A ClickHouse identifier in back quotes."""
    return "`" + value.replace("\\", "\\\\").replace("`", "\\`") + "`"


def tokens(text: str) -> Iterator[Token]:
    """Tokens that mean something; space and comments are dropped."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "tag":
            kind = "string"
        if kind is not None and kind != "space":
            yield Token(kind, match.group(), match.start(), match.end())


def parse(text: str) -> Query | Insert:
    """Take one statement apart. Raises SqlError for an empty text, several statements, or files of the server's machine."""
    stream = tokens(text)
    first = next((token for token in stream if token.text != ";"), None)
    if first is None:
        raise SqlError(62, "SYNTAX_ERROR", "Syntax error: failed at position 1 (end of query): Empty query.")
    if first.is_word("INSERT"):
        return _InsertParser(text, first).parse(stream)
    body = list(_until_semicolon(first, stream))
    start, end = first.start, body[-1].end
    depth = 0
    closing: int | None = None
    for index, token in enumerate(body):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth:
            continue
        if token.is_word("OUTFILE") and body[index - 1].is_word("INTO"):
            raise SqlError(358, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE is not allowed over HTTP.")
        if token.is_word("FORMAT") and _closes(body, index):
            closing = index
    verb = first.text.upper()
    temporary = verb == "CREATE" and any(token.is_word("TEMPORARY") for token in takewhile(_before_table, body))
    if closing is None:
        return Query(verb, text[start:end], temporary=temporary)
    cut = body[closing].start
    return Query(verb, text[start:cut], text[cut:end], _name(body[closing + 1]), temporary)


def rename_words(text: str, replacements: dict[str, str]) -> str:
    """Replace bare words, never inside strings, quoted identifiers or comments."""
    parts, position = [], 0
    for token in tokens(text):
        if token.kind == "word" and token.text in replacements:
            parts += [text[position : token.start], replacements[token.text]]
            position = token.end
    return "".join([*parts, text[position:]])


def kill_only(text: str, condition: str) -> str:
    """A KILL QUERY that ends nothing beyond `condition`. Raises SqlError for another form than KILL QUERY WHERE ..."""
    body = list(tokens(text))
    words = [token.text.upper() for token in body]
    if words[:3] != ["KILL", "QUERY", "WHERE"]:
        raise SqlError(
            497, "ACCESS_DENIED", "Not enough privileges. KILL QUERY WHERE ... is what this account may end."
        )
    last = len(body) - (words[-1] in {"SYNC", "ASYNC", "TEST"})
    depth = 0
    for token in body[3:last]:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth < 0:
            break
    if depth or last <= 3:
        raise SqlError(62, "SYNTAX_ERROR", "Syntax error: the brackets of the condition do not match.")
    asked, mode = text[body[3].start : body[last - 1].end], text[body[last - 1].end :]
    # On lines of their own, so that a comment in the condition ends before ours begins.
    return f"KILL QUERY WHERE (\n{asked}\n) AND {condition}{mode}"


def split_types(text: str) -> list[str]:
    """Split `UInt8, Array(Tuple(a Int8, b Int8))` at its outer commas."""
    parts, depth, start = [], 0, 0
    for token in tokens(text):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if token.text == "," and depth == 0:
            parts.append(text[start : token.start].strip())
            start = token.end
    return [*parts, text[start:].strip()]


def _until_semicolon(first: Token, stream: Iterator[Token]) -> Iterator[Token]:
    yield first
    for token in stream:
        if token.text == ";":
            extra = next((after for after in stream if after.text != ";"), None)
            if extra is not None:
                detail = f"Syntax error (Multi-statements are not allowed): failed at position {extra.start + 1}."
                raise SqlError(62, "SYNTAX_ERROR", detail)
            return
        yield token


def _closes(body: list[Token], index: int) -> bool:
    """Whether the word FORMAT at `index` closes the statement: a name follows, then the end or SETTINGS name = value."""
    if index == 0 or index + 1 >= len(body) or body[index + 1].kind not in {"word", "quoted"}:
        return False
    rest = body[index + 2 :]
    return not rest or (len(rest) > 2 and rest[0].is_word("SETTINGS") and rest[2].text == "=")


def _before_table(token: Token) -> bool:
    return not token.is_word("TABLE")


def _name(token: Token) -> str:
    return token.text[1:-1] if token.kind == "quoted" else token.text


class _InsertParser:
    """One pass over an INSERT that stops at its FORMAT or VALUES, because what follows may be binary."""

    def __init__(self, text: str, first: Token) -> None:
        self._text, self._start = text, first.start
        self._end = first.end
        self._source_at: int | None = None  # where FROM INFILE may be put
        self._selecting = False
        self._input: tuple[int, int, int, int] | None = None  # input, (, ), past )

    def parse(self, stream: Iterator[Token]) -> Query | Insert:
        previous = before_previous = Token("word", "INSERT", self._start, self._end)
        named = False  # the table's own name may be any word, FORMAT too
        depth = 0
        opened: tuple[int, int, int] | None = None
        for token in _until_semicolon(previous, stream):
            if token.text in _OPENING:
                depth += 1
                if token.text == "(" and previous.is_word("INPUT") and before_previous.text != "." and self._selecting:
                    opened = (previous.start, token.end, depth)
            elif token.text in _CLOSING:
                if opened is not None and opened[2] == depth and self._input is None:
                    self._input = (opened[0], opened[1], token.start, token.end)
                depth -= 1
            elif not named:
                named = not token.is_word("INSERT", "INTO", "TABLE", "FUNCTION")
            elif depth == 0 and previous.text != "." and (found := self._keyword(token, previous, stream)) is not None:
                return found
            before_previous, previous = previous, token
            self._end = token.end
        if self._input is not None:
            raise SqlError(477, "INVALID_USAGE_OF_INPUT", "FORMAT must be specified for function input().")
        return Query("INSERT", self._text[self._start : self._end])

    def _keyword(self, token: Token, previous: Token, stream: Iterator[Token]) -> Insert | None:
        if token.is_word("INFILE") and previous.is_word("FROM"):
            raise SqlError(
                78, "UNKNOWN_TYPE_OF_QUERY", "FROM INFILE is not allowed over HTTP: send the data as the body."
            )
        if token.is_word("SELECT", "WITH") and not self._selecting:
            self._selecting = True
        elif token.is_word("SETTINGS") and not self._selecting:
            self._source_at = self._source_at or token.start
        elif token.is_word("VALUES") and not self._selecting:
            return self._plain(token.start, "FORMAT Values", "Values", token.end)
        elif token.is_word("FORMAT") and (not self._selecting or self._input is not None):
            name = next(stream, None)
            if name is None or name.kind not in {"word", "quoted"}:
                detail = f"Syntax error: failed at position {token.end + 1}. Expected one of: format name."
                raise SqlError(62, "SYNTAX_ERROR", detail)
            start = self._data_start(name.end)
            if self._input is None:
                return self._plain(token.start, self._text[token.start : name.end], _name(name), start)
            function, opening, closing, past = self._input
            text = self._text
            return Insert(
                text[self._start : function], text[past : token.start], _name(name), start, text[opening:closing]
            )
        return None

    def _plain(self, clause_start: int, clause: str, name: str, data_start: int) -> Insert:
        cut = self._source_at or clause_start
        return Insert(self._text[self._start : cut], self._text[cut:clause_start] + clause, name, data_start)

    def _data_start(self, position: int) -> int:
        """Data begins after the first newline, or after the blanks, that follow `FORMAT name` (ParserInsertQuery.cpp)."""
        text = self._text
        for ending in (";", "\n"):
            while position < len(text) and text[position] in _BLANKS:
                position += 1
            if position < len(text) and text[position] == ending:
                position += 1
        return position
