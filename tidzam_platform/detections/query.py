"""Which detections are asked for, and the pages of an answer."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

from tidzam_platform.channel_patterns import valid_channel_pattern
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import QueryError
from tidzam_platform.labels.class_paths import valid_class_path

MAX_PAGE: Final = 10_000
MAX_CONDITIONS: Final = 100  # patterns, classes or generations of one query
SCORE_TOLERANCE: Final = 1e-6  # scores are float32: 0.9 was stored as 0.89999998
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_OF_DAY: Final = timedelta(days=1, microseconds=-1)
_MAX_CURSOR: Final = 200
_CURSOR: Final = re.compile(  # µs since 1970 (to the year 2286), id, file
    r"(-?[0-9]{1,16})\.([A-Za-z0-9]{0,64})(?:\.([0-9]{1,18}))?"
)
_LAST_ID: Final = "z"  # behind all ids, which are hexadecimal


@dataclass(frozen=True)
class DetectionQuery:
    """Detections that fulfil all that is given; what is not given does not matter.

    Attributes:
        since: aware; those that start then or later.
        until: aware; those that start before.
        channels: patterns, see ``tidzam_platform.channel_patterns``; one of them matches.
        classes: one of these classes, or a class below it.
        exact_classes: no class below.
        score_from: least score, in [0, 1].
        score_to: greatest score, in [0, 1].
        generations: heard by one of these.
        newest_first: else the oldest come first.

    Raises:
        QueryError: a time without a zone, a range that ends before it begins, too many conditions.
        InvalidNameError: a pattern or class path is not well formed.
    """

    since: datetime | None = None
    until: datetime | None = None
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    exact_classes: bool = False
    score_from: float = 0.0
    score_to: float = 1.0
    generations: tuple[int, ...] = ()
    newest_first: bool = False

    def __post_init__(self) -> None:
        for name, moment in (("from", self.since), ("to", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise QueryError(f"{name} {moment.isoformat()} has no time zone: add Z for UTC")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise QueryError(
                f"from {self.since.isoformat()} lies after to {self.until.isoformat()}: exchange them"
            )
        if not 0 <= self.score_from <= self.score_to <= 1:
            raise QueryError(
                f"scores from {self.score_from} to {self.score_to}: give two numbers from 0 to 1 in ascending order"
            )
        for name, given in (
            ("channels", self.channels),
            ("classes", self.classes),
            ("generations", self.generations),
        ):
            if len(given) > MAX_CONDITIONS:
                raise QueryError(
                    f"{len(given)} {name} are too many: {MAX_CONDITIONS} at most, or use a pattern"
                )
        for pattern in self.channels:
            valid_channel_pattern(pattern)
        for path in self.classes:
            valid_class_path(path)


@dataclass(frozen=True)
class Position:
    """Where a page ended. Detections are in order of start, those of one start in order of id.

    Attributes:
        start: of the last detection, or the edge of a day before which all is told.
        id: of the last detection; empty, or behind all ids, at the edge of a day.
        empty_files: files of that day, up to this number of the index, hold nothing that follows: they need not be
            read again.
    """

    start: datetime
    id: str
    empty_files: int = 0

    @classmethod
    def of(cls, detection: Detection) -> Self:
        """The place of a detection."""
        return cls(detection.start, detection.id)

    @classmethod
    def before_day(cls, day: date, *, newest_first: bool) -> Self:
        """The place at which nothing of a day (UTC) is told yet, and all that comes before it in order is."""
        midnight = datetime.combine(day, time(), UTC)
        return cls(midnight + _LAST_OF_DAY, _LAST_ID) if newest_first else cls(midnight, "")

    @classmethod
    def from_cursor(cls, cursor: str) -> Self:
        """Read what ``cursor`` wrote; QueryError for anything else."""
        match = _CURSOR.fullmatch(_decoded(cursor))
        if match is None:
            raise QueryError(
                f"{cursor[:_MAX_CURSOR]!r} is no cursor: give next_cursor of the page before, as it is"
            )
        return cls(_EPOCH + timedelta(microseconds=int(match[1])), match[2], int(match[3] or 0))

    @property
    def cursor(self) -> str:
        """Opaque text that can stand in a URL."""
        text = f"{(self.start - _EPOCH) // timedelta(microseconds=1)}.{self.id}"
        text += f".{self.empty_files}" if self.empty_files else ""
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Page:
    """A part of an answer.

    Attributes:
        detections: in the order of the query.
        next_cursor: asks for what follows; None at the end.
        is_incomplete: time ran out before there were as many as were asked for; the cursor goes on from there.
    """

    detections: tuple[Detection, ...]
    next_cursor: str | None
    is_incomplete: bool = False


def valid_limit(limit: int) -> int:
    """Return ``limit`` if a page may have that many, else raise QueryError."""
    if not 1 <= limit <= MAX_PAGE:
        raise QueryError(f"a page has 1 to {MAX_PAGE} detections, not {limit}")
    return limit


def _decoded(cursor: str) -> str:
    """The text within a cursor; empty if there is none."""
    try:
        padded = cursor[:_MAX_CURSOR].encode("ascii") + b"=" * (-len(cursor[:_MAX_CURSOR]) % 4)
        return base64.b64decode(padded, b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        return ""
