"""Questions about annotations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import QueryError
from tidzam_platform.labels.class_paths import SEPARATOR, valid_class_path
from tidzam_platform.labels.statement import VERDICTS

MAX_PAGE: Final = 10_000
_IDS: Final = 500  # of one look into the catalog


@dataclass(frozen=True)
class AnnotationQuery:
    """Annotations that fulfil all that is given.

    Attributes:
        clip_id: of this clip.
        detection_id: of this detection.
        recording_id: of this recording.
        channel: of this channel, where it is known.
        since: what is labelled ends after this; annotations without a known time are left out.
        until: what is labelled starts before this.
        annotator: by whom.
        classes: one of these classes, or a class below it.
        verdict: present, absent or unsure.
        standing_only: without those that were superseded.

    Raises:
        QueryError: a time without a zone, or no such verdict.
        InvalidNameError: a class path is not well formed.
    """

    clip_id: int | None = None
    detection_id: str | None = None
    recording_id: int | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    annotator: str | None = None
    classes: tuple[str, ...] = ()
    verdict: str | None = None
    standing_only: bool = True

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise QueryError(f"{moment.isoformat()} has no time zone: add Z for UTC")
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise QueryError(f"{self.verdict!r} is no verdict: write {', '.join(VERDICTS)}")
        for path in self.classes:
            valid_class_path(path)


def find_annotations(
    catalog: Catalog, query: AnnotationQuery, *, limit: int = 100, after_id: int = 0
) -> list[Annotation]:
    """The first ``limit`` (1 to 10,000) whose number is greater than ``after_id``, in ascending order of number."""
    if not 1 <= limit <= MAX_PAGE:
        raise QueryError(f"a page has 1 to {MAX_PAGE} annotations, not {limit}")
    with catalog.reading() as session:
        found = session.scalars(
            select(Annotation)
            .where(Annotation.id > after_id, *_conditions(query))
            .order_by(Annotation.id)
            .limit(limit)
        )
        return list(found)


def standing_on_detections(catalog: Catalog, identities: Collection[str]) -> dict[str, list[Annotation]]:
    """What stands of each of these detections, in ascending order of number; those without any are left out."""
    found: dict[str, list[Annotation]] = {}
    ordered = sorted(identities)
    with catalog.reading() as session:
        for first in range(0, len(ordered), _IDS):
            rows = session.scalars(
                select(Annotation)
                .where(
                    Annotation.detection_id.in_(ordered[first : first + _IDS]),
                    Annotation.superseded_by_id.is_(None),
                )
                .order_by(Annotation.id)
            )
            for row in rows:
                found.setdefault(row.detection_id or "", []).append(row)
    return found


def annotation_object(row: Annotation) -> dict[str, Any]:
    """An annotation as JSON; times in ISO 8601, UTC."""
    return {
        "id": row.id,
        "clip": row.clip_id,
        "detection": row.detection_id,
        "recording": row.recording_id,
        "channel": row.channel,
        "start": None if row.start is None else format_utc(row.start),
        "end": None if row.end is None else format_utc(row.end),
        "class_path": row.class_path,
        "verdict": row.verdict,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "low_hz": row.low_hz,
        "high_hz": row.high_hz,
        "annotator": row.annotator,
        "tool": row.tool,
        "made_at": format_utc(row.made_at),
        "superseded_by": row.superseded_by_id,
    }


def _conditions(query: AnnotationQuery) -> list[ColumnElement[bool]]:
    equal = {
        Annotation.clip_id: query.clip_id,
        Annotation.detection_id: query.detection_id,
        Annotation.recording_id: query.recording_id,
        Annotation.channel: query.channel,
        Annotation.annotator: query.annotator,
        Annotation.verdict: query.verdict,
    }
    found: list[ColumnElement[bool]] = [
        column == wanted for column, wanted in equal.items() if wanted is not None
    ]
    if query.since is not None:
        found.append(Annotation.end > query.since)
    if query.until is not None:
        found.append(Annotation.start < query.until)
    if query.classes:
        below = (
            Annotation.class_path.startswith(path + SEPARATOR, autoescape=True) for path in query.classes
        )
        found.append(or_(Annotation.class_path.in_(query.classes), *below))
    if query.standing_only:
        found.append(Annotation.superseded_by_id.is_(None))
    return found
