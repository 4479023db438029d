"""AudioSet's ontology (Gemmeke et al. 2017): a graph of classes in JSON, and the class path that each gets here.

The file is a list of objects with ``id``, ``name``, ``child_ids`` and ``restrictions`` (``abstract``: only there to
hold others; ``blacklist``: too ambiguous to label). A class may have several parents; its class path follows the
first one in file order. Paths depend on the whole ontology, not on the classes that a tree asks for, so that a label
means the same in every tree.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import InvalidNameError, TreeError
from tidzam_platform.labels.class_paths import SEPARATOR, valid_class_path

ABSTRACT: Final = "abstract"
BLACKLIST: Final = "blacklist"
_MARKS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class OntologyClass:
    """One class as the file has it."""

    id: str
    name: str
    child_ids: tuple[str, ...]
    restrictions: frozenset[str]

    @property
    def can_be_labelled(self) -> bool:
        """Whether clips may have this class; neither ``abstract`` nor ``blacklist`` restricts it."""
        return not self.restrictions


@dataclass(frozen=True)
class Ontology:
    """All classes, in file order.

    Raises:
        TreeError: an id occurs twice, a child is not in the list, the first parents of a class form a circle, or a
            class path gets too long.
    """

    classes: tuple[OntologyClass, ...]

    def __post_init__(self) -> None:
        if len(self.by_id) < len(self.classes):
            ids = [item.id for item in self.classes]
            raise TreeError(f"the ontology has the id {next(i for i in ids if ids.count(i) > 1)!r} twice")
        for item in self.classes:
            for child in item.child_ids:
                if child not in self.by_id:
                    raise TreeError(
                        f"class {item.name!r} ({item.id}) has the child {child!r}, which is no class"
                    )
        _ = self.class_paths

    @cached_property
    def by_id(self) -> dict[str, OntologyClass]:
        """Classes by their id."""
        return {item.id: item for item in self.classes}

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """Ids of each class's parents in file order; none for a class at the top."""
        parents: dict[str, list[str]] = {item.id: [] for item in self.classes}
        for item in self.classes:
            for child in dict.fromkeys(item.child_ids):
                parents[child].append(item.id)
        return parents

    @cached_property
    def class_paths(self) -> dict[str, str]:
        """Class path of every id, along first parents."""
        segments = self._segments()
        paths: dict[str, str] = {}
        for item in self.classes:
            chain = [item.id]
            while parents := self.parents[chain[-1]]:
                if parents[0] in chain:
                    raise TreeError(f"class {item.name!r} ({item.id}) of the ontology lies below itself")
                chain.append(parents[0])
            try:
                paths[item.id] = valid_class_path(
                    SEPARATOR.join(segments[class_id] for class_id in reversed(chain))
                )
            except InvalidNameError as error:
                raise TreeError(f"class {item.name!r} ({item.id}) of the ontology: {error}") from error
        return paths

    @cached_property
    def renamed(self) -> frozenset[str]:
        """Ids of classes whose name was taken by a sibling, and got a number."""
        segments = self._segments()
        return frozenset(item.id for item in self.classes if segments[item.id] != segment_of(item))

    def _segments(self) -> dict[str, str]:
        """Last part of each class's path. Of siblings with one name the first keeps it, others get _2, _3, ..."""
        families: defaultdict[str | None, list[OntologyClass]] = defaultdict(list)
        for item in self.classes:
            families[next(iter(self.parents[item.id]), None)].append(item)
        segments: dict[str, str] = {}
        for family in families.values():
            taken: set[str] = set()
            others = []
            for item in family:
                if (segment := segment_of(item)) in taken:
                    others.append(item)
                else:
                    taken.add(segment)
                    segments[item.id] = segment
            for item in others:  # after all plain names, so that no number takes the name of another class
                stem, number = segment_of(item), 2
                while f"{stem}_{number}" in taken:
                    number += 1
                segments[item.id] = f"{stem}_{number}"
                taken.add(segments[item.id])
        return segments


def segment_of(item: OntologyClass) -> str:
    """A class's name as a part of a class path: ``Bee, wasp, etc.`` gives ``bee_wasp_etc``.

    Lower case without accents; every run of other marks, ``-`` included, is one ``_``. A name without any Latin letter
    or digit gives way to the id.
    """
    plain = unicodedata.normalize("NFKD", item.name).encode("ascii", "ignore").decode().lower()
    return _MARKS.sub("_", plain).strip("_") or _MARKS.sub("_", item.id.lower()).strip("_") or "class"


def read_ontology(path: Path) -> Ontology:
    """Read AudioSet's ``ontology.json``.

    Raises:
        TreeError: the file cannot be read or is no such list; the message names the entry.
    """
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise TreeError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise TreeError(f"{path} is no JSON: {error or type(error).__name__}") from error
    try:
        return ontology_from_json(entries)
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from error


def ontology_from_json(entries: Any) -> Ontology:
    """The ontology of decoded JSON; TreeError if it is of another form."""
    if not isinstance(entries, list):
        raise TreeError("an ontology is a list of classes")
    return Ontology(tuple(_class_of(entry, f"entry {number}") for number, entry in enumerate(entries)))


def _class_of(entry: Any, place: str) -> OntologyClass:
    if not isinstance(entry, Mapping):
        raise TreeError(f"{place} is no object")
    for key in ("id", "name"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise TreeError(f"{place} has no text {key!r}")
    for key in ("child_ids", "restrictions"):
        value = entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise TreeError(f"{place} ({entry['name']}): {key!r} is no list of texts")
    restrictions = frozenset(entry.get("restrictions", []))
    if unknown := restrictions - {ABSTRACT, BLACKLIST}:
        raise TreeError(
            f"{place} ({entry['name']}) has the restriction {min(unknown)!r}; known: {ABSTRACT}, {BLACKLIST}"
        )
    return OntologyClass(entry["id"], entry["name"], tuple(entry.get("child_ids", [])), restrictions)
