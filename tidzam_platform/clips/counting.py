"""How many clips there are: of each class, of each rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip


def says(verdict: str) -> ColumnElement[bool]:
    """Whether an annotation of the clip (of the query around it) stands that has this verdict."""
    return exists().where(
        Annotation.clip_id == Clip.id,
        Annotation.superseded_by_id.is_(None),
        Annotation.verdict == verdict,
    )


def is_labelled() -> ColumnElement[bool]:
    """Whether any annotation of the clip (of the query around it) stands."""
    return exists().where(Annotation.clip_id == Clip.id, Annotation.superseded_by_id.is_(None))


def is_refuted() -> ColumnElement[bool]:
    """Whether somebody says that what the clip was kept for is not in it."""
    return exists().where(
        Annotation.clip_id == Clip.id,
        Annotation.superseded_by_id.is_(None),
        Annotation.verdict == "absent",
        Annotation.class_path == Clip.class_path,
    )


def clips_per_class(catalog: Catalog) -> Counter[str]:
    """Clips by class path, each for itself, not for the classes above it.

    A clip counts for the classes that people say are present in it; where nobody says so, for the class that it was
    kept for, unless somebody says that this one is absent.
    """
    counts = Counter[str]()
    with catalog.reading() as session:
        said = session.execute(
            select(Annotation.class_path, func.count(Annotation.clip_id.distinct()))
            .where(
                Annotation.clip_id.is_not(None),
                Annotation.superseded_by_id.is_(None),
                Annotation.verdict == "present",
            )
            .group_by(Annotation.class_path)
        )
        for path, number in said:
            counts[path] += number
        kept = session.execute(
            select(Clip.class_path, func.count())
            .where(Clip.class_path.is_not(None), ~says("present"), ~is_refuted())
            .group_by(Clip.class_path)
        )
        for kept_for, number in kept:
            counts[str(kept_for)] += number
    return counts


def count_unchecked(catalog: Catalog) -> int:
    """Clips cut out of live audio that wait for labels: no annotation of them stands."""
    with catalog.reading() as session:
        found = session.scalar(
            select(func.count()).select_from(Clip).where(Clip.channel.is_not(None), ~is_labelled())
        )
    return int(found or 0)


@dataclass(frozen=True)
class RuleCounts:
    """Clips by rule: ``total`` that the catalog holds, ``today`` those of them that came since the rule's day began."""

    total: Mapping[int, int]
    today: Mapping[int, int]


def clips_per_rule(catalog: Catalog, day_starts: Mapping[int, datetime]) -> RuleCounts:
    """Clips of the rules of ``day_starts``, which says when the day of each began."""
    total: dict[int, int] = {}
    today: dict[int, int] = {}
    with catalog.reading() as session:
        for rule_id, begin in day_starts.items():
            of_rule = select(func.count()).select_from(Clip).where(Clip.rule_id == rule_id)
            total[rule_id] = session.scalar(of_rule) or 0
            today[rule_id] = session.scalar(of_rule.where(Clip.added_at >= begin)) or 0
    return RuleCounts(total, today)


def unlabelled_bytes(catalog: Catalog) -> int:
    """Bytes of the clips cut out of live audio that nobody has labelled."""
    with catalog.reading() as session:
        found = session.scalar(select(func.sum(Clip.origin["bytes"].as_integer())).where(is_removable()))
    return int(found or 0)


def is_removable() -> ColumnElement[bool]:
    """Whether the disk policy may remove a clip: it was cut out of live audio, and nobody ever said anything of it."""
    return and_(Clip.channel.is_not(None), ~exists().where(Annotation.clip_id == Clip.id))
