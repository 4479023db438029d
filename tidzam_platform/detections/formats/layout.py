"""What the formats share: how times and scores are written, and what a writer is told beside the detections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import QueryError

SCORE_DIGITS: Final = 6  # what float32 tells


@dataclass(frozen=True)
class Layout:
    """How detections are laid out where a format leaves it open.

    Attributes:
        origin: aware; second 0 of the formats that count seconds. None: the start of the first detection.
        one_channel: all detections are of one channel, so that labels need not name it.
    """

    origin: datetime | None = None
    one_channel: bool = False


@dataclass(frozen=True)
class Format:
    """A way to write detections.

    Attributes:
        name: as people ask for it.
        media_type: of HTTP.
        suffix: of a file's name.
        write: gives pieces of text, as the detections come; encoded in UTF-8 they are the file.
    """

    name: str
    media_type: str
    suffix: str
    write: Callable[[Iterable[Detection], Layout], Iterator[str]]


def exact_time(moment: datetime) -> str:
    """ISO 8601 in UTC to the microsecond, which is what a detection's time is known to."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def rounded_score(score: float) -> float:
    """The score without digits that float32 does not have."""
    return round(float(score), SCORE_DIGITS)


def in_seconds(detections: Iterable[Detection], layout: Layout) -> Iterator[tuple[Detection, float, float]]:
    """Each detection with its start and end in seconds from the origin.

    Raises:
        QueryError: one starts before the origin; these formats have no negative times.
    """
    origin = layout.origin
    for one in detections:
        if origin is None:
            origin = one.start
        start_s = (one.start - origin).total_seconds()
        if start_s < 0:
            raise QueryError(
                f"a detection at {exact_time(one.start)} lies before second 0 ({exact_time(origin)}): "
                "name an earlier origin, and ask for the oldest first"
            )
        yield one, start_s, (one.end - origin).total_seconds()
