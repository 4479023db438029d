"""When a rule holds: hours and days on a clock in some time zone."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from tidzam_platform.audio.archive_names import time_zone
from tidzam_platform.errors import ArchiveError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SPAN: Final = re.compile(rf"({_CLOCK})-({_CLOCK}|24:00)")
_MAX_SPANS: Final = 24


def split_words(value: Any) -> Any:
    """A text of words with commas between them as a list; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Schedule(BaseModel):
    """Hours and days. A span that goes over midnight belongs to the day on which it begins.

    ``times`` without a span is the whole day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: Annotated[tuple[str, ...], BeforeValidator(split_words)] = Field(
        (), max_length=_MAX_SPANS, description="Spans of local time: 22:00-04:00; the end is not in it."
    )
    days: Annotated[tuple[Day, ...], BeforeValidator(split_words)] = Field(
        DAYS, min_length=1, description="Days on which spans begin: mon, tue, wed, thu, fri, sat, sun."
    )
    zone: str = Field("UTC", description="IANA time zone of the clock.")

    @field_validator("times")
    @classmethod
    def _valid_times(cls, times: tuple[str, ...]) -> tuple[str, ...]:
        for text in times:
            _span(text)
        return times

    @field_validator("zone")
    @classmethod
    def _valid_zone(cls, zone: str) -> str:
        try:
            time_zone(zone)
        except ArchiveError as error:
            raise ValueError(str(error)) from error
        return zone

    def holds(self, moment: datetime) -> bool:
        """Whether ``moment`` (aware) lies in it."""
        local = moment.astimezone(time_zone(self.zone))
        today = DAYS[local.weekday()] in self.days
        yesterday = DAYS[local.weekday() - 1] in self.days
        if not self.times:
            return today
        now = local.time()
        for begin, end in map(_span, self.times):
            if end is None or begin < end:
                inside = today and begin <= now and (end is None or now < end)
            else:
                inside = (today and begin <= now) or (yesterday and now < end)
            if inside:
                return True
        return False

    def day_start(self, moment: datetime) -> datetime:
        """The last midnight of its clock at or before ``moment``, aware."""
        local = moment.astimezone(time_zone(self.zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _span(text: str) -> tuple[time, time | None]:
    """Begin and end; None is the day's end.

    Raises:
        ValueError: it is no span.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no span of time: write 22:00-04:00")
    begin = time.fromisoformat(match[1])
    end = None if match[2] == "24:00" else time.fromisoformat(match[2])
    if begin == end:
        raise ValueError(f"{text!r} is empty: leave times out for the whole day")
    return begin, end
