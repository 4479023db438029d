"""Live detections move out of the catalog's table; nothing of them is lost."""

from __future__ import annotations

from datetime import UTC, datetime, time

from tidzam_platform.detections.archiving import archive_detections
from tidzam_platform.retention.policy import Outcome, Work


def live_detections(work: Work) -> Outcome | None:
    """Move whole days (UTC) that ended ``retention.live_detections_days`` ago or earlier into Parquet files."""
    days = work.home.settings.retention.live_detections_days
    if days is None:
        return None
    outcome = Outcome("live detections", "retention.live_detections_days", days, moves=True)
    before = work.before(days).astimezone(UTC).date()
    done = archive_detections(work.home.catalog, work.home.store, before, apply=work.apply)
    outcome.items = done.moved
    outcome.kept = done.stayed
    if done.days:
        outcome.oldest = datetime.combine(done.days[0], time(), UTC)
        outcome.newest = datetime.combine(done.days[-1], time(), UTC)
    return outcome
