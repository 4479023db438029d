"""From part files to the detections of each day."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from serving.reprocessing.items import RecordingItem
from serving.reprocessing.parts import Parts
from serving.reprocessing.plan import Plan
from tidzam_platform import crash_points
from tidzam_platform.detections.day_merging import remake_day
from tidzam_platform.detections.file_changes import key_of
from tidzam_platform.home import Home


@dataclass
class DayFile:
    """The detections of a day as they are stored now: how many of each class, the key, a hash of the bytes."""

    day: date
    key: str
    sha256: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def detections(self) -> int:
        """How many."""
        return sum(self.counts.values())


def merge_days(
    home: Home, plan: Plan, generation: int, items: Sequence[RecordingItem], parts: Parts
) -> Iterator[DayFile]:
    """Replace what was heard on each day (UTC) that a recording touches; days without any are left as they are.

    Args:
        home: whose store and catalog it is.
        plan: the range.
        generation: that heard.
        items: those of the plan that have a part.
        parts: of the run.

    Raises:
        ObjectNotFoundError: a part is gone meanwhile.
    """
    for day in plan.days:
        if not any(item.touches(day) for item in plan.items):
            continue
        of_day = [item for item in items if item.touches(day)]
        data, counts = remake_day(
            home.catalog,
            home.store,
            generation,
            plan.source_id,
            day,
            [partial(home.store.get_bytes, parts.key(item)) for item in of_day],
            [(item.start, item.end) for item in of_day],
        )
        crash_points.reach("reprocessing.day")
        key = key_of(generation, plan.source_id, day)
        yield DayFile(day, key, hashlib.sha256(data).hexdigest(), counts)
