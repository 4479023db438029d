"""When a source is recorded: hours and days of the week on a clock in the source's zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidzam_platform.clips.schedule import Schedule

MAX_SCHEDULES: Final = 24


def read_schedules(given: Any) -> Any:
    """What a request says as schedules: a text (``mon,fri 22:00-04:00; sun``), one of them or a list.

    A part of the text is days, times, or both; without times it is the whole day, without days every day.

    Raises:
        ValueError: a part is none of these, or one names a zone: it is that of the source.
    """
    if isinstance(given, str):
        parts = [part.split() for part in given.split(";") if part.strip()]
        return [_part(words) for words in parts]
    schedules = [given] if isinstance(given, Mapping | Schedule) else given
    for one in schedules if isinstance(schedules, Sequence) else ():
        if isinstance(one, Mapping) and "zone" in one:
            raise ValueError("the zone of record_schedule is that of the source: leave it out")
    return schedules


def _part(words: Sequence[str]) -> dict[str, str]:
    if len(words) == 2:
        return {"days": words[0].lower(), "times": words[1]}
    if len(words) == 1:
        return {"times": words[0]} if ":" in words[0] else {"days": words[0].lower()}
    raise ValueError(f"{' '.join(words)!r} is no schedule: write mon,fri 22:00-04:00; sun")
