"""Just enough of ClickHouse's SQL to serve it over HTTP: where the data of an INSERT begins, which FORMAT a query ends with,
where a trailing clause may be put. Tokens follow ClickHouse's own lexer (src/Parsers/Lexer.cpp): quotes with backslash and
doubled escapes, back-quoted and double-quoted identifiers, `--`, `#` and `/* */` comments, `$tag$` heredocs.

Text is latin-1 here: one character is one byte, so positions in it are positions in the request body, which may be binary
after the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>   [\s\x00]+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string>  '(?:[^'\\]|\\.|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<quoted>  `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
    | (?P<word>    [A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]* )
    | (?P<number>  [0-9][A-Za-z0-9_.]* )
    | (?P<sign>    . )
    """,
    re.VERBOSE | re.DOTALL,
)

STREAMED = frozenset({"SELECT", "WITH", "(", "FROM"})
SESSION_CHANGING = frozenset({"SET", "USE"})


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
class Statement:
    """One statement taken apart. `text` holds no data and no closing semicolon; `data` is what followed an INSERT's FORMAT."""

    verb: str
    text: str
    format: str | None = None
    data_start: int | None = None
    format_span: tuple[int, int] | None = None
    tail_start: int | None = None
    input_span: tuple[int, int] | None = None
    input_arguments: str | None = None

    @property
    def streamed(self) -> bool:
        return self.verb in STREAMED

    def reading_from(self, path: str) -> str:
        """The INSERT with `path` as its data: FROM INFILE, or file(...) in the place of input(...)."""
        quoted = quote(path)
        if self.input_span is not None and self.format is not None:
            head, tail = self.text[: self.input_span[0]], self.text[self.input_span[1] :]
            table = f"file({quoted}, {quote(self.format)}, {self.input_arguments})"
            if self.format_span is not None:
                start, end = (position - self.input_span[1] for position in self.format_span)
                tail = tail[:start] + tail[end:]
            return head + table + tail
        at = self.tail_start if self.tail_start is not None else len(self.text)
        return f"{self.text[:at]} FROM INFILE {quoted} COMPRESSION 'none' {self.text[at:]}"

    def writing_to(self, path: str, default_format: str) -> str:
        """The SELECT with its result formatted into `path`."""
        clause = f"\nINTO OUTFILE {quote(path)} APPEND COMPRESSION 'none' "
        if self.format_span is None:
            return f"{self.text}{clause}FORMAT {default_format}"
        at = self.format_span[0]
        return self.text[:at] + clause + self.text[at:]


def quote(value: str) -> str:
    """A ClickHouse string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_identifier(value: str) -> str:
    return "`" + value.replace("\\", "\\\\").replace("`", "\\`") + "`"


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """Tokens that mean something; space and comments are dropped."""
    for match in _TOKEN.finditer(text, start):
        kind = match.lastgroup if match.lastgroup != "tag" else "string"
        if kind != "space":
            yield Token(kind or "sign", match.group(), match.start(), match.end())


def parse(text: str) -> Statement:
    """Take one statement apart. Raises SqlError for an empty text or several statements."""
    stream = tokens(text)
    first = next((token for token in stream if token.text != ";"), None)
    if first is None:
        raise SqlError(62, "SYNTAX_ERROR", "Syntax error: failed at position 1 (end of query): Empty query.")
    if first.is_word("INSERT"):
        return _parse_insert(text, first, stream)
    body, end = _one_statement(text, first, stream)
    verb = first.text.upper()
    format_index = _trailing_format(body)
    if format_index is None:
        return Statement(verb, text[first.start : end])
    span = (body[format_index].start - first.start, body[format_index + 1].end - first.start)
    return Statement(verb, text[first.start : end], format=_unquote(body[format_index + 1].text), format_span=span)


def _one_statement(text: str, first: Token, stream: Iterator[Token]) -> tuple[list[Token], int]:
    body = [first]
    for token in stream:
        if token.text == ";":
            extra = next((after for after in stream if after.text != ";"), None)
            if extra is not None:
                raise SqlError(62, "SYNTAX_ERROR", f"Syntax error (Multi-statements are not allowed): failed at position {extra.start + 1}.")
            break
        body.append(token)
    return body, body[-1].end


def _trailing_format(body: list[Token]) -> int | None:
    """Index of the FORMAT that closes the statement: followed by a name and then the end or SETTINGS name = value."""
    depth = 0
    found = None
    for index, token in enumerate(body):
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
        elif depth == 0 and token.is_word("FORMAT") and index > 0 and index + 1 < len(body):
            name, rest = body[index + 1], body[index + 2 :]
            if name.kind in ("word", "quoted") and (
                not rest or (len(rest) > 2 and rest[0].is_word("SETTINGS") and rest[2].text == "=")
            ):
                found = index
    return found


def _unquote(text: str) -> str:
    return text[1:-1] if text[:1] in '`"' else text


def _parse_insert(text: str, first: Token, stream: Iterator[Token]) -> Statement:
    body = [first]
    depth = 0
    base = first.start
    tail: int | None = None
    selecting = False
    source: tuple[int, int, int] | None = None
    opened: tuple[int, int, int] | None = None
    named = False  # the table's own name may be any word, FORMAT too
    for token in stream:
        previous = body[-1]
        body.append(token)
        if token.text in ("(", "[", "{"):
            depth += 1
            if token.text == "(" and previous.is_word("INPUT") and selecting and body[-3].text != ".":
                opened = (previous.start, token.end, depth)
            continue
        if token.text in (")", "]", "}"):
            if opened is not None and depth == opened[2] and source is None:
                source = (opened[0], opened[1], token.end)
            depth -= 1
            continue
        if not named:
            named = not token.is_word("INTO", "TABLE", "FUNCTION")
            continue
        if depth:
            continue
        if token.text == ";":
            body.pop()
            extra = next((after for after in stream if after.text != ";"), None)
            if extra is not None:
                raise SqlError(62, "SYNTAX_ERROR", f"Syntax error (Multi-statements are not allowed): failed at position {extra.start + 1}.")
            break
        if token.is_word("SELECT", "WITH") and not selecting:
            selecting = True
            tail = tail if tail is not None else token.start - base
        elif token.is_word("SETTINGS") and tail is None and previous.text != ".":
            tail = token.start - base
        elif token.is_word("VALUES") and not selecting and previous.text != ".":
            return _with_data(text, base, token, "Values", tail)
        elif token.is_word("FORMAT") and previous.text != "." and not (selecting and source is None):
            name = next(stream, None)
            if name is None or name.kind not in ("word", "quoted"):
                raise SqlError(62, "SYNTAX_ERROR", f"Syntax error: failed at position {token.end + 1}. Expected one of: format name.")
            if selecting and source is not None:
                span = (token.start - base, name.end - base)
                inside = text[source[1] : source[2] - 1]
                return Statement(
                    "INSERT", text[base : name.end], _unquote(name.text), _data_start(text, name.end), span, tail,
                    (source[0] - base, source[2] - base), inside,
                )
            tail = tail if tail is not None else token.start - base
            return Statement("INSERT", text[base : name.end], _unquote(name.text), _data_start(text, name.end), (token.start - base, name.end - base), tail)
    return Statement("INSERT", text[base : body[-1].end])


def _with_data(text: str, base: int, values: Token, name: str, tail: int | None) -> Statement:
    statement = text[base : values.start] + f"FORMAT {name}"
    start = values.start - base
    return Statement("INSERT", statement, name, values.end, (start, len(statement)), tail if tail is not None else start)


def _data_start(text: str, end: int) -> int:
    """Data begins after the first newline, or after the spaces, that follow FORMAT name (as in ClickHouse's ParserInsertQuery)."""
    position = end
    while position < len(text) and text[position] in " \t\f\r":
        position += 1
    if position < len(text) and text[position] == ";":
        position += 1
        while position < len(text) and text[position] in " \t\f\r":
            position += 1
    if position < len(text) and text[position] == "\n":
        position += 1
    return position
