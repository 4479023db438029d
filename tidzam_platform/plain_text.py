"""Texts from outside, looked at in one place before they reach a database, a file or a log."""

from __future__ import annotations

import re
from typing import Any, Final

from tidzam_platform.errors import InvalidNameError

# Control characters (Unicode's Cc; PostgreSQL takes no NUL) and halves of characters (Cs), which UTF-8 cannot say.
_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN: Final = 80


def require_plain(value: Any, what: str) -> None:
    """InvalidNameError where a text holds a character that nobody can see or write.

    Args:
        value: a text, or what JSON can say: all texts within it are looked at, names of keys too.
        what: it is called in the message.
    """
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            match = _NO_TEXT.search(one)
            if match is not None:
                raise InvalidNameError(
                    f"{what}: {one[:_SHOWN]!r} holds the control character U+{ord(match[0]):04X}: leave it out"
                )
        elif isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, (list, tuple)):
            left += one
