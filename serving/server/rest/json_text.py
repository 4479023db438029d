"""JSON text to values within bounds: of depth, of numbers, and of everything else that costs an object.

Why not ``json.loads``: a body of 64 MiB may claim gigabytes of small objects, its recursion ends in RecursionError,
of two members of the same name one is dropped in silence, and the samples of a request are read faster all at once.
The words of errors are RapidJSON's (error/en.h), which TensorFlow Serving passes on (util/json_tensor.cc ParseJson).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from serving.server.refusals import RefusalError, invalid_argument
from serving.server.rest.number_lists import read_numbers

#: None, bool, int, float, str, a list, a dict by name, or the array of a long list of numbers (see read_numbers).
JsonValue = Any

MAX_DEPTH: Final = 256  # TensorFlow's tensors have at most 254 dimensions
_MAX_VALUES: Final = 100_000  # of values that are objects of their own: at most some 10 MB
_LONG_LIST_BYTES: Final = 256  # where Arrow becomes the faster way
_MAX_INTEGER_LENGTH: Final = 20  # digits and sign of what fits into 64 bits

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING_START: Final = re.compile(rb'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+', re.DOTALL)
_LITERALS: Final = (
    (b"true", True),
    (b"false", False),
    (b"null", None),
    (b"NaN", math.nan),
    (b"Infinity", math.inf),
    (b"-Infinity", -math.inf),
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def parse_json(text: bytes, max_numbers: int) -> JsonValue:
    """The value that ``text`` (UTF-8) holds; ``NaN``, ``Infinity`` and ``-Infinity`` are numbers.

    Args:
        text: the JSON document.
        max_numbers: how many numbers may stand in long lists.

    Raises:
        RefusalError: INVALID_ARGUMENT; it is no JSON, names a member twice, or is beyond the bounds.
    """
    if not text:
        raise invalid_argument("JSON Parse error: The document is empty")
    return _Reader(text, max_numbers).document()


class _Reader:
    def __init__(self, text: bytes, max_numbers: int) -> None:
        self._text = text
        self._at = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
        self._max_numbers = self._numbers_left = max_numbers
        self._values_left = _MAX_VALUES

    def document(self) -> JsonValue:
        if not self._next():
            self._fail("The document is empty.")
        value = self._value(1)
        if self._next():
            self._fail("The document root must not be followed by other values.")
        return value

    def _next(self) -> bytes:
        """The next byte that is no white space, not taken; empty at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        raise _refusal(problem, self._at if at is None else at)

    def _value(self, depth: int) -> JsonValue:
        self._values_left -= 1
        if self._values_left < 0:
            raise invalid_argument(f"JSON with more than {_MAX_VALUES} values outside long lists of numbers")
        if depth > MAX_DEPTH:
            raise invalid_argument(f"JSON nested deeper than {MAX_DEPTH} levels")
        first = self._next()
        if first == b"[":
            return self._list(depth)
        if first == b"{":
            return self._object(depth)
        return self._string() if first == b'"' else self._scalar()

    def _list(self, depth: int) -> JsonValue:
        if (numbers := self._long_list()) is not None:
            return numbers
        values: list[JsonValue] = []
        self._at += 1
        if self._next() == b"]":
            self._at += 1
            return values
        while True:
            values.append(self._value(depth + 1))
            if not self._continues(b"]", "Missing a comma or ] after an array element."):
                return values

    def _long_list(self) -> Any:
        start, end = self._at + 1, self._text.find(b"]", self._at)
        if end - start < _LONG_LIST_BYTES:
            return None
        if any(self._text.find(mark, start, end) >= 0 for mark in (b"[", b"{", b'"')):
            return None
        self._numbers_left -= self._text.count(b",", start, end) + 1
        if self._numbers_left < 0:
            raise invalid_argument(
                f"JSON with more than {self._max_numbers} numbers: send fewer windows in one request"
            )
        numbers = read_numbers(self._text, start, end)
        if numbers is not None:
            self._at = end + 1
        return numbers

    def _object(self, depth: int) -> dict[str, JsonValue]:
        members: dict[str, JsonValue] = {}
        self._at += 1
        if self._next() == b"}":
            self._at += 1
            return members
        while True:
            if self._next() != b'"':
                self._fail("Missing a name for object member.")
            at = self._at
            name = self._string()
            if name in members:
                self._fail(f"The name {name[:100]!r} comes twice in one object.", at)
            if self._next() != b":":
                self._fail("Missing a colon after a name of object member.")
            self._at += 1
            members[name] = self._value(depth + 1)
            if not self._continues(b"}", "Missing a comma or } after an object member."):
                return members

    def _continues(self, end: bytes, problem: str) -> bool:
        """Step over the comma (True) or over ``end`` (False) that must come next."""
        mark = self._next()
        if mark not in (b",", end) or not mark:
            self._fail(problem)
        self._at += 1
        return mark == b","

    def _string(self) -> str:
        at = self._at
        match = _STRING_START.match(self._text, at)
        stop = match.end() if match else at
        if self._text[stop : stop + 1] != b'"':
            ended = stop >= len(self._text) - 1  # a backslash may be the last byte
            self._fail(
                "Missing a closing quotation mark in string." if ended else "Invalid encoding in string.",
                stop,
            )
        self._at = stop + 1
        return _decoded(self._text[at : self._at], at)

    def _scalar(self) -> JsonValue:
        for token, value in _LITERALS:
            if self._text.startswith(token, self._at):
                self._at += len(token)
                return value
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            self._fail("Invalid value.")
        after = self._text[match.end() : match.end() + 1]
        if after == b"." and not match[1] and not match[2]:
            self._fail("Miss fraction part in number.", match.end())
        if after in (b"e", b"E") and not match[2]:
            self._fail("Miss exponent in number.", match.end())
        is_integer = not match[1] and not match[2] and len(match[0]) <= _MAX_INTEGER_LENGTH
        number = int(match[0]) if is_integer else float(match[0])
        if math.isinf(number):
            self._fail("Number too big to be stored in double.")
        self._at = match.end()
        if is_integer and not -(2**63) <= number < 2**64:
            return float(number)
        return number


def _decoded(quoted: bytes, at: int) -> str:
    """The text of a string that is in its quotation marks and holds no control characters."""
    try:
        plain = quoted.decode()
        if "\\" not in plain:
            return plain[1:-1]
        text: str = json.loads(plain)
        text.encode()
    except UnicodeDecodeError as error:
        raise _refusal("Invalid encoding in string.", at + error.start) from error
    except UnicodeEncodeError as error:
        raise _refusal("The surrogate pair in string is invalid.", at) from error
    except json.JSONDecodeError as error:
        is_unicode = "uXXXX" in error.msg
        problem = "Incorrect hex digit after \\u escape" if is_unicode else "Invalid escape character"
        raise _refusal(f"{problem} in string.", at) from error
    return text


def _refusal(problem: str, at: int) -> RefusalError:
    return invalid_argument(f"JSON Parse error: {problem} at offset: {at}")
