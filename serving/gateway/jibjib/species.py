"""The species that JibJib's API tells of: which id is which class, and what there is to say about it."""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from serving.signature import ModelDescription
from tidzam_platform.classifiers.decision import NO_SIGNAL
from tidzam_platform.errors import InvalidNameError, SettingsError
from tidzam_platform.labels.class_paths import is_within, valid_class_path

MAX_ID: Final = (1 << 31) - 1  # the app keeps ids in 32 bits
_MAX_TABLE_BYTES: Final = 16 << 20
_NEEDED: Final = ("id", "class_path")


@dataclass(frozen=True)
class Species:
    """One row of the table; every text but the class path may be empty.

    Attributes:
        id: from 1; JibJib's name for it.
        class_path: whose scores it gets.
        name: scientific, such as ``Cuculus canorus``.
        genus: first part of the name.
        species: second part of the name.
        title_de: common name in German.
        title_en: common name in English.
        desc_de: description in German.
        desc_en: description in English.
    """

    id: int
    class_path: str
    name: str = ""
    genus: str = ""
    species: str = ""
    title_de: str = ""
    title_en: str = ""
    desc_de: str = ""
    desc_en: str = ""

    def bird(self, *, desc_de: bool = True, desc_en: bool = True) -> dict[str, Any]:
        """As JibJib's API tells it; a description that is not wanted is empty."""
        told = asdict(self)
        del told["class_path"]
        if not desc_de:
            told["desc_de"] = ""
        if not desc_en:
            told["desc_en"] = ""
        return told


_COLUMNS: Final = tuple(field.name for field in fields(Species))


def read_species(path: Path) -> tuple[Species, ...]:
    """Read a table, by id: TOML with one ``[[species]]`` each, or CSV with a header (UTF-8).

    Raises:
        SettingsError: it cannot be read, a column is unknown or missing, a value is wrong, or an id or class is
            there twice.
    """
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise SettingsError(
                f"{path} is larger than {_MAX_TABLE_BYTES >> 20} MB: is it a table of species?"
            )
        text = path.read_text("utf-8-sig")
        rows = _toml_rows(text) if path.suffix.lower() == ".toml" else _csv_rows(text)
        species = [_species(number, row) for number, row in enumerate(rows, 1)]
    except (OSError, ValueError, csv.Error, InvalidNameError) as error:  # ValueError: TOML and UTF-8 too
        raise SettingsError(f"the table of species {path} cannot be used: {error}") from error
    if not species:
        raise SettingsError(f"the table of species {path} is empty")
    for what, values in (
        ("id", [one.id for one in species]),
        ("class_path", [one.class_path for one in species]),
    ):
        if twice := _first_twice(values):
            raise SettingsError(f"the table of species {path} has {what} {twice} twice")
    return tuple(sorted(species, key=lambda one: one.id))


def species_of_classes(description: ModelDescription) -> tuple[Species, ...]:
    """A table of the served leaf classes, by id; what is known of a class is its path.

    An id is made from the path alone, so that it stays when other classes come and go.
    """
    parents = {known.parent for known in description.classes}
    leaves = sorted(
        known.path
        for known in description.classes
        if known.path not in parents and not is_within(known.path, NO_SIGNAL)
    )
    taken: set[int] = set()
    found = []
    for path in leaves:
        number = _id_of(path, taken)
        taken.add(number)
        title = path.rpartition("-")[2].replace("_", " ")
        title = title[:1].upper() + title[1:]
        found.append(Species(number, path, name=title, title_de=title, title_en=title))
    return tuple(sorted(found, key=lambda one: one.id))


def _id_of(class_path: str, taken: Collection[int]) -> int:
    number = int.from_bytes(hashlib.sha256(class_path.encode()).digest()[:4]) % MAX_ID + 1
    while number in taken:
        number = number % MAX_ID + 1
    return number


def _toml_rows(text: str) -> Sequence[Mapping[str, Any]]:
    tables = tomllib.loads(text)
    rows = tables.pop("species", [])
    if tables or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("write one [[species]] for each, and nothing else")
    return rows


def _csv_rows(text: str) -> Iterable[Mapping[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the header has no {missing[0]}: there are {', '.join(_COLUMNS)}")
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} has not as many cells as the header")
        yield {key: value for key, value in row.items() if value or key in _NEEDED}


def _species(number: int, row: Mapping[str, Any]) -> Species:
    if unknown := sorted(set(row) - set(_COLUMNS)):
        raise ValueError(f"row {number}: unknown column {unknown[0]!r}: there are {', '.join(_COLUMNS)}")
    if missing := [name for name in _NEEDED if name not in row]:
        raise ValueError(f"row {number} has no {missing[0]}")
    values = dict(row)
    given = values.pop("id")
    text = str(given)
    if isinstance(given, bool) or not (
        text.isascii() and text.isdecimal() and len(text) <= 10 and 1 <= int(text) <= MAX_ID
    ):
        raise ValueError(f"row {number}: an id is a whole number from 1 to {MAX_ID}, not {text[:40]!r}")
    if wrong := [key for key, value in values.items() if not isinstance(value, str)]:
        raise ValueError(f"row {number}: {wrong[0]} is a text, not {values[wrong[0]]!r}")
    valid_class_path(values["class_path"])
    return Species(id=int(text), **values)


def _first_twice(values: Sequence[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
