"""Which frames of a source go into one file, counted from an anchor: no clock is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from streamer.engine.rings.frames import NS_PER_S, Anchor, utc_ns_after
from tidzam_platform.archive.exact_start import (
    ANCHOR_FRAME_TAG,
    ANCHOR_UTC_TAG,
    FRAME_TAG,
    SOURCE_TAG,
    START_TAG,
    format_ns,
)

# An anchor that says what the one before said, to so little, is a correction and no jump.
JUMP_NS: Final = 10_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileSpan:
    """The frames of one file.

    Attributes:
        anchor: that says the time of all of them.
        first_frame: number of the first one in the source's ring.
        end_frame: number after the last one.
        rate_hz: of the frames.
    """

    anchor: Anchor
    first_frame: int
    end_frame: int
    rate_hz: int

    @property
    def start_ns(self) -> int:
        """UTC of the first frame, ns since 1970."""
        return utc_ns_after(self.anchor, self.first_frame, self.rate_hz)

    def local_time(self, zone: ZoneInfo) -> datetime:
        """The naive time, cut to the second, that a clock in ``zone`` shows at the first frame."""
        moment = _EPOCH + timedelta(seconds=self.start_ns // NS_PER_S)
        return moment.astimezone(zone).replace(tzinfo=None, fold=0)

    def tags(self, source: str) -> dict[str, str]:
        """What is written into the file, from which the time of every sample follows."""
        return {
            SOURCE_TAG: source,
            START_TAG: format_ns(self.start_ns),
            FRAME_TAG: str(self.first_frame),
            ANCHOR_FRAME_TAG: str(self.anchor.frame),
            ANCHOR_UTC_TAG: format_ns(self.anchor.utc_ns),
        }


def span_from(anchor: Anchor, frame: int, *, file_s: int, rate_hz: int) -> FileSpan:
    """The file that begins with ``frame``: it ends with the next whole multiple of ``file_s`` of UTC.

    The end is the first frame at or after that moment, so that the files that follow each other share no frame and
    leave none out.
    """
    file_ns = file_s * NS_PER_S
    start_ns = utc_ns_after(anchor, frame, rate_hz)
    boundary_ns = (start_ns // file_ns + 1) * file_ns
    end_frame = anchor.frame - (anchor.utc_ns - boundary_ns) * rate_hz // NS_PER_S
    return FileSpan(anchor, frame, max(end_frame, frame + 1), rate_hz)


def is_jump(before: Anchor, after: Anchor, rate_hz: int) -> bool:
    """Whether ``after`` says another time than ``before`` says for the same frame."""
    return abs(utc_ns_after(before, after.frame, rate_hz) - after.utc_ns) > JUMP_NS
