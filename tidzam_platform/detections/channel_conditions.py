"""Patterns of channel names as conditions of the database."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from tidzam_platform.channel_patterns import is_wild, regex_of


def in_sql(
    column: InstrumentedAttribute[str], patterns: tuple[str, ...], dialect: str
) -> list[ColumnElement[bool]]:
    """One condition a pattern; ``LIKE`` of SQLite folds case, so that has ``GLOB``."""
    conditions: list[ColumnElement[bool]] = []
    for pattern in patterns:
        if not is_wild(pattern):
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
