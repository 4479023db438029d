"""Detections of a query in the catalog's table."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import LiveDetection
from tidzam_platform.detections.channel_conditions import in_sql
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import detection_of_row
from tidzam_platform.detections.query import SCORE_TOLERANCE, DetectionQuery, Position
from tidzam_platform.labels.class_paths import SEPARATOR


def live_detections(
    session: Session, query: DetectionQuery, after: Position | None, limit: int
) -> list[Detection]:
    """The first ``limit`` that follow ``after``, in the order of the query."""
    order = (LiveDetection.start, LiveDetection.id)
    rows = session.scalars(
        select(LiveDetection)
        .where(*_conditions(query, session.get_bind().dialect.name), *_following(query, after))
        .order_by(*(column.desc() for column in order) if query.newest_first else order)
        .limit(limit)
    )
    return [detection_of_row(row) for row in rows]


def _conditions(query: DetectionQuery, dialect: str) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.since is not None:
        found.append(LiveDetection.start >= query.since)
    if query.until is not None:
        found.append(LiveDetection.start < query.until)
    if query.channels:
        found.append(or_(*in_sql(LiveDetection.channel, query.channels, dialect)))
    if query.classes:
        each: list[ColumnElement[bool]] = [LiveDetection.class_path.in_(query.classes)]
        if not query.exact_classes:
            each += [
                LiveDetection.class_path.startswith(path + SEPARATOR, autoescape=True)
                for path in query.classes
            ]
        found.append(or_(*each))
    if query.score_from > 0:
        found.append(LiveDetection.score >= query.score_from - SCORE_TOLERANCE)
    if query.score_to < 1:
        found.append(LiveDetection.score <= query.score_to + SCORE_TOLERANCE)
    if query.generations:
        found.append(LiveDetection.generation.in_(query.generations))
    return found


def _following(query: DetectionQuery, after: Position | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    start, identity = LiveDetection.start, LiveDetection.id
    if query.newest_first:
        return [and_(start <= after.start, or_(start < after.start, identity < after.id))]
    return [and_(start >= after.start, or_(start > after.start, identity > after.id))]
