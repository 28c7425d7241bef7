"""The text of a query and a place in it. What a character means depends on what may stand there: `a=b` is a word, an
operator and a value, while the value itself may hold `=`; so the parser asks for what it expects.
"""

import re

from libs.common.errors import InvalidQuery
from libs.common.query.ast import OPERATORS, PIPE, WORD, Operator, Value, bare_length, is_bare_value

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?[a-zµμ]*")


class Scanner:
    """Reads from left to right; every method that returns None has moved over nothing but spaces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        # Between the braces of a span set, where a closing brace ends whatever stands before it.
        self.in_braces = False
        # In a list, where a comma separates.
        self.in_list = False

    def at_end(self) -> bool:
        self._skip_spaces()
        return self.position == len(self.text)

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        self._skip_spaces()
        return self.text[self.position : self.position + 1]

    def take(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self.position += 1
        return True

    def word(self) -> str | None:
        self._skip_spaces()
        found = WORD.match(self.text, self.position)
        word = found.group() if found else ""
        if self.in_braces:
            word = word[: bare_length(word)]
        if self.in_list:
            word = word.split(",", 1)[0]
        if not word:
            return None
        self.position += len(word)
        return word

    def run(self, length: int) -> str:
        """The next characters, whatever they are."""
        self.position += length
        return self.text[self.position - length : self.position]

    def number(self) -> str | None:
        """Digits with a unit or without one, as steps and limits are written."""
        self._skip_spaces()
        found = _NUMBER.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found.group()

    def operator(self) -> Operator | None:
        self._skip_spaces()
        for operator in OPERATORS:
            if self.text.startswith(operator, self.position):
                self.position += len(operator)
                # Programmers write `==`; nobody means a value that starts with "=".
                if operator == "=" and self.text.startswith("=", self.position):
                    self.position += 1
                return operator
        return None

    def phrase(self) -> str:
        """The quoted text at this place. Raises InvalidQuery when its closing quote is missing."""
        start = self.position
        pieces: list[str] = []
        index = start + 1
        while index < len(self.text):
            character = self.text[index]
            if character == '"':
                self.position = index + 1
                return "".join(pieces)
            if character == "\\" and self.text[index + 1 : index + 2] in {'"', "\\"}:
                index += 1
                character = self.text[index]
            pieces.append(character)
            index += 1
        raise InvalidQuery(
            f"The quote opened at position {start} is never closed.", position=start, expected='a closing quote (")'
        )

    def value(self) -> Value:
        """What stands behind an operator. Raises InvalidQuery when nothing does or when it needs quotes."""
        start = self._skip_spaces()
        if self.peek() == '"':
            return Value(self.phrase(), quoted=True, position=start)
        end = start
        while end < len(self.text) and not self.text[end].isspace() and self.text[end] != '"':
            end += 1
        # A bracket that the value did not open closes a group opened before the term.
        end = start + bare_length(self.text[start:end])
        if self.in_list:
            end = start + len(self.text[start:end].split(",", 1)[0])
        text = self.text[start:end]
        if not text or text == PIPE:
            raise InvalidQuery(
                f"There is no value behind the operator at position {start}.",
                position=start,
                expected='a value, as in status=error or name="two words"',
            )
        follows = self.text[end : end + 1]
        if not is_bare_value(text) or follows == '"' or (follows == "}" and not self.in_braces):
            raise InvalidQuery(
                f"The value at position {start} holds quotes, spaces or single brackets; write it in quotes.",
                position=start,
                expected='a value in quotes, as in "GET /cart (v2)"',
            )
        self.position = end
        return Value(text, position=start)

    def _skip_spaces(self) -> int:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1
        return self.position
