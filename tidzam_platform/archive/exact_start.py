"""The exact beginning of a recording, which our recorder writes into its tags; its name is rounded to the second.

A tag is believed where the name says the same day and hour in some time zone: who renames a recording because the
recorder's clock was wrong means the name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

START_TAG: Final = "TIDZAM_START"  # UTC of the first sample, ISO 8601 with nanoseconds
FRAME_TAG: Final = "TIDZAM_FRAME"  # number of the first sample since the source's ring was made
ANCHOR_FRAME_TAG: Final = "TIDZAM_ANCHOR_FRAME"
ANCHOR_UTC_TAG: Final = "TIDZAM_ANCHOR_UTC"
SOURCE_TAG: Final = "TIDZAM_SOURCE"

# Zones lie between 12 hours behind UTC and 14 before it; a name that was taken is counted up by some seconds.
MAX_FROM_NAME: Final = timedelta(hours=15)

_NS_PER_S: Final = 1_000_000_000
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{9})Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def format_ns(utc_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601, e.g. ``2026-04-01T05:00:00.000000000Z``."""
    seconds, nanoseconds = divmod(utc_ns, _NS_PER_S)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def parse_ns(text: str) -> int | None:
    """The inverse of ``format_ns``; None for anything else."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return round((moment - _EPOCH).total_seconds()) * _NS_PER_S + int(match[2])


def exact_start(tags: Mapping[str, str]) -> datetime | None:
    """When the first sample was heard, to the microsecond, by a file's tags (keys in lower case); None if unknown."""
    utc_ns = parse_ns(tags.get(START_TAG.lower(), ""))
    return None if utc_ns is None else _EPOCH + timedelta(microseconds=utc_ns // 1000)


def fits_name(start: datetime, local_time: datetime) -> bool:
    """Whether a clock in some zone, shown as the naive ``local_time``, may have stood so at the moment ``start``."""
    return abs(start - local_time.replace(tzinfo=UTC)) <= MAX_FROM_NAME
