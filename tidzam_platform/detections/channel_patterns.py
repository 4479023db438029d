"""Patterns of channel names: ``*`` stands for any letters, ``?`` for one, everything else for itself."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from tidzam_platform.errors import InvalidNameError

MAX_PATTERN_LENGTH: Final = 255
_PATTERN: Final = re.compile(r"[A-Za-z0-9_:*?-]+")
_WILD: Final = re.compile(r"[*?]")


def valid_pattern(pattern: str) -> str:
    """Return ``pattern`` if a channel's name could match it, else raise InvalidNameError."""
    if len(pattern) > MAX_PATTERN_LENGTH or not _PATTERN.fullmatch(pattern):
        raise InvalidNameError(
            f"{pattern!r} is no pattern of channels: write it like marsh:out_1, marsh:out_* or *:out_1"
        )
    return pattern


def regex_of(patterns: tuple[str, ...]) -> str:
    """A regular expression (of Python and of RE2) for the whole name of a channel that any of them matches."""
    wild = {"*": ".*", "?": "."}
    each = ("".join(wild.get(letter, re.escape(letter)) for letter in pattern) for pattern in patterns)
    return f"^(?:{'|'.join(each)})$"


def in_sql(
    column: InstrumentedAttribute[str], patterns: tuple[str, ...], dialect: str
) -> list[ColumnElement[bool]]:
    """One condition a pattern; ``LIKE`` of SQLite folds case, so that has ``GLOB``."""
    conditions: list[ColumnElement[bool]] = []
    for pattern in patterns:
        if not _WILD.search(pattern):
            conditions.append(column == pattern)
        elif dialect == "sqlite":
            conditions.append(column.bool_op("GLOB")(pattern))
        else:
            like = pattern.replace("_", r"\_").replace("*", "%").replace("?", "_")
            conditions.append(column.like(like, escape="\\"))
    return conditions


def may_be_of(patterns: tuple[str, ...], source: str) -> bool:
    """Whether a channel of the source might match one of them; False only where none can."""
    if not patterns:
        return True
    for pattern in patterns:
        left, colon, _ = pattern.partition(":")
        # a channel's name holds one colon; where the pattern writes none, a wildcard stands for it
        if not colon or re.fullmatch(regex_of((left,)), source):
            return True
    return False
