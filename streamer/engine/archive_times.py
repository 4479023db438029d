"""From when to when there is audio of each archive: what the original's ``database`` request asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform.audio.archive_names import time_zone
from tidzam_platform.catalog.tables import Recording, Source

DATE_FORMAT: Final = "%Y-%m-%d-%H-%M-%S"
# Files of one recorder follow each other; what is apart less than this is one stretch to whoever looks at a calendar.
_TOGETHER: Final = timedelta(seconds=2)


def archive_times(session: Session) -> dict[str, dict[str, Any]]:
    """Of each source in the catalog: its channels, and its stretches of audio by the clock of its own zone.

    Returns:
        ``{name: {"nb_channels": n, "database": [[start, end], ...]}}``, times as ``YYYY-MM-DD-HH-MM-SS``.
    """
    query = (
        select(Source.name, Source.time_zone, Recording.start, Recording.end, Recording.channels)
        .join(Recording, Recording.source_id == Source.id)
        .where(Recording.error.is_(None), Recording.end.is_not(None))
        .order_by(Source.name, Recording.start)
    )
    stretches: dict[str, list[list[datetime]]] = {}
    zones: dict[str, str] = {}
    channels: dict[str, int] = {}
    for name, zone, start, end, width in session.execute(query).yield_per(1000):
        if end is None:  # the query leaves these out
            continue
        zones[name], channels[name] = zone, max(channels.get(name, 0), width or 0)
        known = stretches.setdefault(name, [])
        if known and start - known[-1][1] <= _TOGETHER:
            known[-1][1] = max(known[-1][1], end)
        else:
            known.append([start, end])
    return {
        name: {
            "nb_channels": channels[name],
            "database": [
                [moment.astimezone(time_zone(zones[name])).strftime(DATE_FORMAT) for moment in stretch]
                for stretch in found
            ],
        }
        for name, found in stretches.items()
    }
