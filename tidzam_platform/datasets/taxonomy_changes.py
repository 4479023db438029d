"""Changes of classes in the catalog: made, listed, read; see ``tidzam_platform.datasets.taxonomy``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Generation, TaxonomyChange
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.taxonomy import Taxonomy, compose
from tidzam_platform.errors import TaxonomyError
from tidzam_platform.labels.class_paths import SEPARATOR, is_within, parent, valid_label, with_ancestors
from tidzam_platform.labels.statement import valid_annotator

_LOCK: Final = 7483923  # changes are made one transaction at a time
_MAX_REASON: Final = 1000
_TABLES: Final = ("rename", "merge", "split")


@dataclass(frozen=True)
class Wishes:
    """What shall become of classes, as people write it; all of it is one change.

    Attributes:
        rename: old class path: new one, which no class has yet; classes below it go along.
        merge: class path: the classes that it is made of.
        split: class path: its parts, which labels tell apart; none: the classes labelled right below it.
    """

    rename: Mapping[str, str]
    merge: Mapping[str, Sequence[str]]
    split: Mapping[str, Sequence[str]]


def read_taxonomy(catalog: Catalog, version: int | None = None) -> Taxonomy:
    """The taxonomy of today, or of an earlier version; TaxonomyError if there is no such version."""
    with catalog.reading() as session:
        return taxonomy_of(session, version)


def taxonomy_of(session: Session, version: int | None = None) -> Taxonomy:
    """As ``read_taxonomy``, within the caller's transaction."""
    rows = session.scalars(select(TaxonomyChange).order_by(TaxonomyChange.version)).all()
    if version is not None:
        if not 0 <= version <= len(rows):
            raise TaxonomyError(
                f"no version {version} of the taxonomy: ./tidzam taxonomy list shows {len(rows)}"
            )
        rows = rows[:version]
    becomes: dict[str, tuple[str, ...]] = {}
    for row in rows:
        becomes = compose(becomes, {path: tuple(targets) for path, targets in row.mapping.items()})
    return Taxonomy(len(rows), becomes)


def change_taxonomy(catalog: Catalog, wishes: Wishes, *, by: str, reason: str) -> TaxonomyChange:
    """Write a change: from now on labels, frozen sets and rules are read by the new names.

    Annotations stay as they are. The same call again is refused: the old classes are known no more.

    Raises:
        TaxonomyError: a class is not known, a name is taken, or classes would go round in a circle.
        InvalidNameError: a name is no class path.
    """
    valid_annotator(by)
    if not reason.strip() or len(reason) > _MAX_REASON:
        raise TaxonomyError(f"say why, in 1 to {_MAX_REASON} characters: the history keeps it")
    with catalog.session() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        before = taxonomy_of(session)
        change = mapping_of(wishes, known_classes(session, before))
        after = before.changed(change)
        row = TaxonomyChange(
            version=after.version,
            mapping={path: list(targets) for path, targets in sorted(change.items())},
            reason=reason.strip(),
            made_by=by,
            made_at=utc_now(),
        )
        session.add(row)
    return row


def list_changes(catalog: Catalog) -> list[TaxonomyChange]:
    """All changes, the oldest first."""
    with catalog.reading() as session:
        return list(session.scalars(select(TaxonomyChange).order_by(TaxonomyChange.version)))


def known_classes(session: Session, taxonomy: Taxonomy) -> list[str]:
    """Classes that stand in labels or that a generation answers, by today's names, with those above; ascending."""
    said = set(session.scalars(select(Annotation.class_path).distinct()))
    for evaluation in session.scalars(select(Generation.evaluation)):
        said.update(evaluation.get("classes", ()))
    return with_ancestors({target for path in said for target in taxonomy.targets(path)})


def mapping_of(wishes: Wishes, known: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The mapping that wishes mean where these classes are known.

    Raises:
        TaxonomyError: a class is not known, or a name is taken.
    """
    classes = set(known)
    mapping: dict[str, tuple[str, ...]] = {}

    def add(source: str, targets: tuple[str, ...]) -> None:
        if mapping.setdefault(source, targets) != targets:
            raise TaxonomyError(
                f"{source!r} would become {' and '.join(mapping[source])} and {targets[0]}: choose"
            )

    for old, new in wishes.rename.items():
        _require_known(old, classes)
        valid_label(new)
        if new in classes and not is_within(new, old):
            raise TaxonomyError(
                f"there is a class {new!r} already: ./tidzam taxonomy merge {old},{new} {new} makes one of both"
            )
        for path in sorted(one for one in classes if is_within(one, old) and not is_within(one, new)):
            add(path, (new + path[len(old) :],))
    for new, olds in wishes.merge.items():
        valid_label(new)
        if not olds:
            raise TaxonomyError(f"say which classes become {new!r}")
        for old in olds:
            _require_known(old, classes)
            for path in sorted(one for one in classes if is_within(one, old) and not is_within(one, new)):
                add(path, (new + path[len(old) :],))
    for old, parts in wishes.split.items():
        _require_known(old, classes)
        found = tuple(parts) or tuple(sorted(path for path in classes if parent(path) == old))
        if len(found) < 2:
            raise TaxonomyError(
                f"{old!r} is split into at least two classes, and labels name {len(found)}: label clips of it with its "
                f"parts first, like {old}{SEPARATOR}small, or name the parts"
            )
        add(old, found)
    return mapping


def read_wishes(path: Path) -> Wishes:
    """Read a TOML file with the tables ``rename`` (old = new), ``merge`` (new = [old, ...]), ``split`` (old = [parts]).

    Raises:
        TaxonomyError: it cannot be read, or holds something else.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaxonomyError(f"{path} cannot be read: {error}") from error
    if strange := sorted(content.keys() - {*_TABLES}):
        raise TaxonomyError(
            f"{path}: there is no table {strange[0]!r} of changes; there are {', '.join(_TABLES)}"
        )
    tables: dict[str, dict[str, Any]] = {}
    for name in _TABLES:
        table = content.get(name, {})
        if not isinstance(table, dict):
            raise TaxonomyError(f"{path}: {name} is a table, like [{name}]")
        for key, value in table.items():
            fits = (
                isinstance(value, str)
                if name == "rename"
                else (isinstance(value, list) and all(isinstance(one, str) for one in value))
            )
            if not fits:
                wanted = "a class path" if name == "rename" else "a list of class paths"
                raise TaxonomyError(f"{path}: {name}.{key} is {wanted}, not {value!r}")
        tables[name] = table
    return Wishes(**tables)


def _require_known(path: str, classes: set[str]) -> None:
    valid_label(path)
    if path not in classes:
        near = sorted(
            name for name in classes if name.split(SEPARATOR)[-1] == path.rsplit(SEPARATOR, maxsplit=1)[-1]
        )
        hint = f"; perhaps {near[0]!r}" if near else "; ./tidzam taxonomy list shows those that are known"
        raise TaxonomyError(f"no class {path!r} is known{hint}")
