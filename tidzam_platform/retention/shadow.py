"""What the comparison of stable and canary counted and noted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select

from tidzam_platform.catalog.tables import ShadowDisagreement, ShadowHour, Table
from tidzam_platform.crash_points import reach
from tidzam_platform.retention.policy import Outcome, Work


def shadow_rows(work: Work) -> Outcome | None:
    """Remove rows whose newest window is ``retention.shadow_days`` old or older."""
    days = work.home.settings.retention.shadow_days
    if days is None:
        return None
    outcome = Outcome("rows of shadow runs", "retention.shadow_days", days)
    before = work.before(days)
    tables: tuple[tuple[type[Table], Any], ...] = (
        (ShadowHour, ShadowHour.last_at),
        (ShadowDisagreement, ShadowDisagreement.at),
    )
    for table, moment in tables:
        with work.home.catalog.reading() as session:
            rows, oldest, newest = session.execute(
                select(func.count(), func.min(moment), func.max(moment))
                .select_from(table)
                .where(moment < before)
            ).one()
        if not rows:
            continue
        outcome.add(table.__tablename__, oldest)
        outcome.add(table.__tablename__, newest)
        outcome.items += rows - 2
        outcome.examples = []
        if work.apply:
            with work.home.catalog.session() as session:
                session.execute(delete(table).where(moment < before))
                work.audit(session, outcome)
            reach("retention.shadow")
    return outcome
