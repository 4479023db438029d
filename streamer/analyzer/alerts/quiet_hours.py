"""Hours of the day in which nobody wants to be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidzam_platform.errors import RuleError

_SPAN: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True)
class QuietHours:
    """Spans of the local day, in minutes from midnight: the beginning is in, the end is out.

    A span whose end lies before its beginning goes over midnight. Clocks that change at night are followed: what
    counts is what a clock on the wall shows.
    """

    spans: tuple[tuple[int, int], ...]
    zone: ZoneInfo

    @classmethod
    def parse(cls, spans: Sequence[str], zone: str) -> Self:
        """Read spans like ``22:00-06:00`` in an IANA zone.

        Raises:
            RuleError: one is written otherwise, has no length, or the zone is not known.
        """
        try:
            known = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise RuleError(f"{zone!r} is no time zone: write it like Europe/Paris") from error
        return cls(tuple(_minutes(span) for span in spans), known)

    def cover(self, moment: datetime) -> bool:
        """Whether it is quiet at an aware ``moment``."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(
            begin <= minute < end if begin < end else minute >= begin or minute < end
            for begin, end in self.spans
        )


def _minutes(span: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(span)
    if match is None:
        raise RuleError(f"{span!r} is no span of the day: write it like 22:00-06:00")
    begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if begin >= _DAY_MINUTES or end > _DAY_MINUTES or begin == end:
        raise RuleError(
            f"{span!r} is no span of the day: it begins before 24:00, ends by 24:00, and is not empty"
        )
    return begin, end
