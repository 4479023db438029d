"""Days of a plan that a generation has not heard."""

from __future__ import annotations

from sqlalchemy import select

from serving.reprocessing.plan import Plan, plan
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.home import Home


def unheard_plan(home: Home, wanted: Plan, generation: int) -> Plan | None:
    """From the first to the last day of ``wanted`` that the generation has no file of; None if it has all of them.

    Days without any recording count for nothing.
    """
    with home.catalog.reading() as session:
        heard = set(
            session.scalars(
                select(DetectionFile.day).where(
                    DetectionFile.generation == generation,
                    DetectionFile.source_id == wanted.source_id,
                    DetectionFile.day.between(wanted.days[0], wanted.days[-1]),
                )
            )
        )
    left = [
        day for day in wanted.days if day not in heard and any(item.touches(day) for item in wanted.items)
    ]
    return plan(home, wanted.source, left[0], left[-1]) if left else None
