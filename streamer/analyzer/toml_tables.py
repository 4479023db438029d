"""Files of tables ``[[name]]`` that people write: outputs, rules of alerts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic import ValidationError

from tidzam_platform.errors import RuleError

MAX_TABLES: Final = 200
_MAX_FILE_BYTES: Final = 1 << 20


class Named(Protocol):
    """What a table becomes."""

    @property
    def name(self) -> str:
        """Unlike all others of the file."""


Made = TypeVar("Made", bound=Named)


def read_tables(file: Path, table: str, make: Callable[[Any], Made]) -> tuple[Made, ...]:
    """Read ``[[table]]``, each with a name of its own, and nothing else.

    Args:
        file: TOML.
        table: the name of the tables.
        make: validates one; raises pydantic's ValidationError.

    Raises:
        RuleError: the file is not there, is no TOML, or a table makes no sense; the message says which and why.
    """
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise RuleError(f"{file} is longer than {_MAX_FILE_BYTES} bytes: that is no file of [[{table}]]")
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RuleError(f"{file} cannot be read: {error}") from error
    tables = document.pop(table, [])
    if document or not isinstance(tables, list) or len(tables) > MAX_TABLES:
        raise RuleError(f"{file}: write tables [[{table}]], {MAX_TABLES} at most, and nothing else")
    made = tuple(_made(file, number, one, make) for number, one in enumerate(tables, 1))
    names = [one.name for one in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RuleError(f"{file}: two tables are named {twice[0]!r}; give each a name of its own")
    return made


def _made(file: Path, number: int, table: object, make: Callable[[Any], Made]) -> Made:
    try:
        return make(table)
    except ValidationError as error:
        # Without the input: a secret may have been written where its file belongs.
        lines = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'table'}: {item['msg']}"
            for item in error.errors(include_input=False)
        )
        name = table.get("name", "without a name") if isinstance(table, dict) else "which is no table"
        raise RuleError(f"{file}: table {number} ({name}): {lines}") from error
