"""Comparisons in the catalog: added up by pair of generations and hour; several processes may add at once.

Nothing grows for ever: hours older than ``KEPT_DAYS`` become one row of their pair, a pair keeps its newest
``KEPT_DISAGREEMENTS``, and only the ``KEPT_PAIRS`` pairs that were compared last stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, select, text
from sqlalchemy.orm import Session

from serving.shadow.comparison import Disagreement
from serving.shadow.figures import Figures
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import ShadowDisagreement, ShadowHour

KEPT_DAYS: Final = 30
KEPT_DISAGREEMENTS: Final = 500
KEPT_PAIRS: Final = 50
BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)  # the hour of the row that sums up older ones

Pair = tuple[int, int]  # stable, canary


@dataclass
class HourFigures:
    """Figures of a pair within an hour, or of several hours, with the times of the first and the last batch."""

    figures: Figures
    first_at: datetime
    last_at: datetime

    def merge(self, other: HourFigures) -> None:
        """Add others of the same pair."""
        self.figures.merge(other.figures)
        self.first_at = min(self.first_at, other.first_at)
        self.last_at = max(self.last_at, other.last_at)


def add_comparisons(
    catalog: Catalog,
    hours: Mapping[tuple[Pair, datetime], HourFigures],
    disagreements: Mapping[Pair, Sequence[tuple[datetime, Disagreement]]],
    now: datetime,
) -> None:
    """Add figures by pair and start of the hour, and disagreements, oldest first; all in one transaction.

    Raises:
        CatalogError: the database does not answer; nothing was added.
    """
    with catalog.session() as session:
        _one_at_a_time(session)
        for (pair, hour), figures in hours.items():
            _add(session, pair, hour, figures)
        for (stable, canary), found in disagreements.items():
            session.add_all(
                ShadowDisagreement(
                    stable=stable,
                    canary=canary,
                    at=at,
                    channel=one.origin.channel,
                    start=one.origin.start,
                    stable_class=one.stable.class_path,
                    stable_score=one.stable.score,
                    canary_class=one.canary.class_path,
                    canary_score=one.canary.score,
                    scores={path: list(scores) for path, scores in one.scores.items()},
                )
                for at, one in found
            )
        session.flush()
        _sum_up_old_hours(session, now)
        for pair in disagreements:
            _trim_disagreements(session, pair)
        _trim_pairs(session)


def figures_of(rows: Sequence[ShadowHour]) -> HourFigures:
    """The sum of rows of one pair; at least one."""
    first, *others = (HourFigures(Figures.from_json(row.figures), row.first_at, row.last_at) for row in rows)
    for other in others:
        first.merge(other)
    return first


def of_pair(table: type[ShadowHour | ShadowDisagreement], pair: Pair) -> ColumnElement[bool]:
    """Which rows are of that pair."""
    return and_(table.stable == pair[0], table.canary == pair[1])


def _one_at_a_time(session: Session) -> None:
    """On PostgreSQL take a lock of ours until the transaction ends; SQLite lets one write at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(7483921)"))


def _add(session: Session, pair: Pair, hour: datetime, added: HourFigures) -> None:
    stable, canary = pair
    row = session.get(ShadowHour, (stable, canary, hour))
    total = HourFigures(Figures(), added.first_at, added.last_at) if row is None else figures_of([row])
    total.merge(added)
    if row is None:
        row = ShadowHour(stable=stable, canary=canary, hour=hour)
        session.add(row)
    row.windows = total.figures.windows
    row.first_at, row.last_at = total.first_at, total.last_at
    row.figures = total.figures.to_json()


def _sum_up_old_hours(session: Session, now: datetime) -> None:
    oldest = now - timedelta(days=KEPT_DAYS)
    rows = session.scalars(select(ShadowHour).where(ShadowHour.hour > BEFORE, ShadowHour.hour < oldest)).all()
    for row in rows:
        _add(session, (row.stable, row.canary), BEFORE, figures_of([row]))
        session.delete(row)
        session.flush()


def _trim_disagreements(session: Session, pair: Pair) -> None:
    beyond = session.scalar(
        select(ShadowDisagreement.id)
        .where(of_pair(ShadowDisagreement, pair))
        .order_by(ShadowDisagreement.id.desc())
        .offset(KEPT_DISAGREEMENTS)
        .limit(1)
    )
    if beyond is not None:
        session.execute(
            delete(ShadowDisagreement).where(
                of_pair(ShadowDisagreement, pair), ShadowDisagreement.id <= beyond
            )
        )


def _trim_pairs(session: Session) -> None:
    beyond = session.execute(
        select(ShadowHour.stable, ShadowHour.canary)
        .group_by(ShadowHour.stable, ShadowHour.canary)
        .order_by(func.max(ShadowHour.last_at).desc(), ShadowHour.canary.desc(), ShadowHour.stable.desc())
        .offset(KEPT_PAIRS)
    ).all()
    for stable, canary in beyond:
        for table in (ShadowHour, ShadowDisagreement):
            session.execute(delete(table).where(of_pair(table, (stable, canary))))
