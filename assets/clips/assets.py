"""Clips that can be labelled, by day."""

import hashlib
from collections import Counter
from datetime import timedelta
from typing import Any, Final

import dagster as dg
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assets.clips.partitions import clip_days
from assets.metadata import bars, table
from assets.policies import asset_by_partition
from assets.retrying import tried_again
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.home import Home

_VERSION_LENGTH: Final = 16
_DAY: Final = timedelta(days=1)


@asset_by_partition(
    group_name="learning",
    kinds={"flac", "sqlite"},
    owners=["team:annotators"],
    code_version="1",
    partitions_def=clip_days,
    # Once a day is over; labels that come later are counted when the day is run again.
    automation_condition=dg.AutomationCondition.on_cron("30 0 * * *"),
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=3), warn_window=timedelta(hours=26)
    ),
)
def clips(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Clips of a day (UTC), by when they sounded, imported ones by when they came, and what is said of them."""
    with tried_again(context):
        begin = context.partition_time_window.start
        with Home.open().catalog.reading() as session:
            moment = func.coalesce(Clip.start, Clip.added_at)
            query = select(Clip).where(moment >= begin, moment < begin + _DAY).order_by(Clip.sha256)
            found = list(session.scalars(query))
            labels = _labels(session, [clip.id for clip in found])
        kept_for = Counter(clip.class_path or "imported" for clip in found)
        said = Counter(label for of_clip in labels.values() for label in of_clip)
        digest = hashlib.sha256()
        for clip in found:
            digest.update(f"{clip.sha256}|{sorted(labels.get(clip.id, ()))}\n".encode())
        metadata: dict[str, Any] = {
            "clips": len(found),
            "minutes": round(sum(clip.seconds for clip in found) / 60, 2),
            "labelled": len(labels),
            "kept_for": table(["class", "clips"], sorted(kept_for.items())),
            "labels": table(["label", "clips"], sorted(said.items())),
        }
        if kept_for:
            metadata["picture"] = bars(kept_for, "clips by the class that they were kept for")
        return dg.MaterializeResult(
            metadata=metadata, data_version=dg.DataVersion(digest.hexdigest()[:_VERSION_LENGTH])
        )


def _labels(session: Session, clip_ids: list[int]) -> dict[int, list[str]]:
    """What stands of clips, by clip."""
    found: dict[int, list[str]] = {}
    for at in range(0, len(clip_ids), 500):
        query = select(Annotation).where(
            Annotation.clip_id.in_(clip_ids[at : at + 500]), Annotation.superseded_by_id.is_(None)
        )
        for one in session.scalars(query):
            words = one.class_path if one.verdict == "present" else f"{one.class_path} ({one.verdict})"
            found.setdefault(one.clip_id or 0, []).append(words)
    return found
