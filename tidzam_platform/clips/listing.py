"""Finding clips in the catalog: filters, pages, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.clips.counting import is_labelled, says
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import TidzamError
from tidzam_platform.labels.class_paths import SEPARATOR

MAX_PAGE: Final = 1000


@dataclass(frozen=True)
class ClipQuery:
    """Which clips; what is None or empty chooses nothing out.

    Attributes:
        start_from, start_before: when they begin (aware).
        channels: patterns, see ``tidzam_platform.channel_patterns``.
        classes: with what lies below them: what people say is in a clip, else what it was kept for.
        generation: that heard it.
        rule_id: that kept it.
        destination: of the rule.
        lowest_score, highest_score: of what it was kept for.
        is_labelled: whether an annotation of it stands.
        limit: of a page, 1 to 1000.
        cursor: ``next_cursor`` of the page before.
    """

    start_from: datetime | None = None
    start_before: datetime | None = None
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    generation: int | None = None
    rule_id: int | None = None
    destination: str | None = None
    lowest_score: float | None = None
    highest_score: float | None = None
    is_labelled: bool | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True)
class ClipLabel:
    """An annotation that stands."""

    id: int
    class_path: str
    verdict: str
    annotator: str
    start_s: float | None
    end_s: float | None


@dataclass(frozen=True)
class FoundClip:
    """One clip; what is known of clips of live audio alone is None for imported ones."""

    id: int
    sha256: str
    store_key: str
    codec: str
    rate_hz: int
    channels: int
    seconds: float
    group: str
    side: str | None
    added_at: datetime
    channel: str | None
    start: datetime | None
    generation: int | None
    class_path: str | None
    score: float | None
    rule_id: int | None
    destination: str | None
    origin: dict[str, Any] = field(hash=False)
    labels: tuple[ClipLabel, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "id": self.id,
            "sha256": self.sha256,
            "channel": self.channel,
            "start": None if self.start is None else format_utc(self.start),
            "seconds": self.seconds,
            "class_path": self.class_path,
            "score": self.score,
            "generation": self.generation,
            "rule": self.rule_id,
            "destination": self.destination,
            "group": self.group,
            "side": self.side,
            "codec": self.codec,
            "rate_hz": self.rate_hz,
            "channels": self.channels,
            "added_at": format_utc(self.added_at),
            "origin": self.origin,
            "annotations": [asdict(label) for label in self.labels],
        }


@dataclass(frozen=True)
class ClipPage:
    """Clips, the newest first, and where the next page begins (None: there is none)."""

    clips: tuple[FoundClip, ...]
    next_cursor: str | None


def find_clips(catalog: Catalog, query: ClipQuery) -> ClipPage:
    """One page of clips.

    Raises:
        TidzamError: limit or cursor make no sense.
    """
    if not 1 <= query.limit <= MAX_PAGE:
        raise TidzamError(f"a page has 1 to {MAX_PAGE} clips, not {query.limit}")
    with catalog.reading() as session:
        wanted = select(Clip).where(*_conditions(session, query))
        rows = session.scalars(wanted.order_by(Clip.id.desc()).limit(query.limit + 1)).all()
        page = rows[: query.limit]
        found = _with_labels(session, page)
    return ClipPage(tuple(found), str(page[-1].id) if len(rows) > query.limit else None)


def find_clip(catalog: Catalog, clip_id: int) -> FoundClip | None:
    """One clip by its number; None if there is none."""
    with catalog.reading() as session:
        row = session.get(Clip, clip_id)
        return None if row is None else _with_labels(session, [row])[0]


def _conditions(session: Session, query: ClipQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.cursor is not None:
        if not (query.cursor.isascii() and query.cursor.isdigit() and len(query.cursor) <= 18):
            raise TidzamError(f"{query.cursor[:80]!r} is no cursor: take the one that the page before names")
        found.append(Clip.id < int(query.cursor))
    if query.start_from is not None:
        found.append(Clip.start >= query.start_from)
    if query.start_before is not None:
        found.append(Clip.start < query.start_before)
    if query.channels:
        known = session.scalars(select(Clip.channel).where(Clip.channel.is_not(None)).distinct())
        found.append(
            Clip.channel.in_([name for name in known if name and matches_channel(name, query.channels)])
        )
    if query.classes:
        found.append(_is_of(query.classes))
    exact: tuple[tuple[InstrumentedAttribute[Any], Any], ...] = (
        (Clip.generation, query.generation),
        (Clip.rule_id, query.rule_id),
        (Clip.destination, query.destination),
    )
    found += [column == value for column, value in exact if value is not None]
    if query.lowest_score is not None:
        found.append(Clip.score >= query.lowest_score)
    if query.highest_score is not None:
        found.append(Clip.score <= query.highest_score)
    if query.is_labelled is not None:
        found.append(is_labelled() if query.is_labelled else ~is_labelled())
    return found


def _is_of(classes: Sequence[str]) -> ColumnElement[bool]:
    is_said = exists().where(
        Annotation.clip_id == Clip.id,
        Annotation.superseded_by_id.is_(None),
        Annotation.verdict == "present",
        _is_within(Annotation.class_path, classes),
    )
    return or_(is_said, and_(~says("present"), _is_within(Clip.class_path, classes)))


def _is_within(column: InstrumentedAttribute[Any], classes: Sequence[str]) -> ColumnElement[bool]:
    return or_(
        column.in_(classes), *(column.startswith(f"{path}{SEPARATOR}", autoescape=True) for path in classes)
    )


def _with_labels(session: Session, rows: Sequence[Clip]) -> list[FoundClip]:
    labels: dict[int, list[ClipLabel]] = {row.id: [] for row in rows}
    standing = (
        select(Annotation)
        .where(Annotation.clip_id.in_(labels), Annotation.superseded_by_id.is_(None))
        .order_by(Annotation.id)
    )
    for one in session.scalars(standing):
        if one.clip_id is not None:
            labels[one.clip_id].append(
                ClipLabel(one.id, one.class_path, one.verdict, one.annotator, one.start_s, one.end_s)
            )
    return [_found(row, tuple(labels[row.id])) for row in rows]


def _found(row: Clip, labels: tuple[ClipLabel, ...]) -> FoundClip:
    return FoundClip(
        id=row.id,
        sha256=row.sha256,
        store_key=row.store_key,
        codec=row.codec,
        rate_hz=row.rate_hz,
        channels=row.channels,
        seconds=row.seconds,
        group=row.group.key,
        side=row.group.side,
        added_at=row.added_at,
        channel=row.channel,
        start=row.start,
        generation=row.generation,
        class_path=row.class_path,
        score=row.score,
        rule_id=row.rule_id,
        destination=row.destination,
        origin=row.origin,
        labels=labels,
    )
