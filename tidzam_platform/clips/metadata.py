"""What a clip says of itself: comments inside its FLAC, from which its row in the catalog can be made again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tidzam_platform.archive.exact_start import SOURCE_TAG, START_TAG, format_ns, parse_ns
from tidzam_platform.errors import DecodingError, InvalidNameError
from tidzam_platform.labels.class_paths import valid_class_path
from tidzam_platform.names import split_channel, valid_source

CHANNEL_TAG: Final = "TIDZAM_CHANNEL"
CLASS_TAG: Final = "TIDZAM_CLASS"
SCORE_TAG: Final = "TIDZAM_SCORE"
SCORES_TAG: Final = "TIDZAM_SCORES"
WINDOW_TAG: Final = "TIDZAM_WINDOW"
LEVEL_TAG: Final = "TIDZAM_LEVEL_DBFS"
GENERATION_TAG: Final = "TIDZAM_GENERATION"
CANARY_TAG: Final = "TIDZAM_CANARY"
RULE_TAG: Final = "TIDZAM_RULE"
DESTINATION_TAG: Final = "TIDZAM_DESTINATION"

MAX_SCORES: Final = 100  # of the best classes
_MAX_SCORES_BYTES: Final = 15_000  # of a comment's 16 KiB
_DIGITS: Final = 4
_NS_PER_US: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ClipMetadata:
    """Where a clip was cut out of, and why.

    Attributes:
        channel: ``<source>:out_<n>``.
        start_utc_ns: UTC of its first sample, ns since 1970.
        class_path: what it was kept for.
        score: of that class, in [0, 1].
        scores: by class path, of the window that it was kept for; the best ``MAX_SCORES`` are written.
        window: begin and end of that window, seconds from the clip's first sample.
        level_dbfs: of that window.
        generation: that heard it.
        rule_id: that kept it.
        destination: of the rule.
        canary: what the canary took the window for, where it differs and the rule asks for that.
    """

    channel: str
    start_utc_ns: int
    class_path: str
    score: float
    scores: Mapping[str, float] = field(hash=False)
    window: tuple[float, float]
    level_dbfs: float
    generation: int
    rule_id: int
    destination: str
    canary: str | None = None

    @property
    def source(self) -> str:
        """Name of the source."""
        return split_channel(self.channel)[0]

    @property
    def start(self) -> datetime:
        """UTC of its first sample, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.start_utc_ns // _NS_PER_US)

    def to_comments(self) -> dict[str, str]:
        """Comments of the file."""
        comments = {
            "TITLE": f"{self.class_path} at {self.channel}, {self.start:%Y-%m-%d %H:%M:%S} UTC",
            SOURCE_TAG: self.source,
            CHANNEL_TAG: self.channel,
            START_TAG: format_ns(self.start_utc_ns),
            CLASS_TAG: self.class_path,
            SCORE_TAG: _number(self.score),
            SCORES_TAG: _scores_text(self.scores),
            WINDOW_TAG: f"{self.window[0]:.6f} {self.window[1]:.6f}",
            LEVEL_TAG: f"{self.level_dbfs:.1f}",
            GENERATION_TAG: str(self.generation),
            RULE_TAG: str(self.rule_id),
            DESTINATION_TAG: self.destination,
        }
        if self.canary is not None:
            comments[CANARY_TAG] = self.canary
        return comments

    @classmethod
    def from_comments(cls, comments: Mapping[str, str]) -> ClipMetadata:
        """Read what ``to_comments`` wrote; keys in lower case, as readers of comments give them.

        Raises:
            DecodingError: these are not the comments of a clip.
        """

        def text(tag: str) -> str:
            return comments[tag.lower()]

        try:
            begin_s, end_s = map(float, text(WINDOW_TAG).split())
            channel = text(CHANNEL_TAG)
            split_channel(channel)
            return cls(
                channel=channel,
                start_utc_ns=_moment(text(START_TAG)),
                class_path=valid_class_path(text(CLASS_TAG)),
                score=_finite(text(SCORE_TAG)),
                scores=_read_scores(text(SCORES_TAG)),
                window=(begin_s, end_s),
                level_dbfs=float(text(LEVEL_TAG)),
                generation=int(text(GENERATION_TAG)),
                rule_id=int(text(RULE_TAG)),
                destination=valid_source(text(DESTINATION_TAG)),
                canary=comments.get(CANARY_TAG.lower()),
            )
        except (KeyError, ValueError, OverflowError, InvalidNameError) as error:
            raise DecodingError(f"the comments are not those of a clip: {error!r}") from error


def _number(value: float) -> str:
    return f"{value:.{_DIGITS}f}"


def _moment(text: str) -> int:
    utc_ns = parse_ns(text)
    if utc_ns is None:
        raise ValueError(f"{text!r} is no time")
    return utc_ns


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no score")
    return value


def _scores_text(scores: Mapping[str, float]) -> str:
    best = sorted(scores, key=lambda path: (-scores[path], path))[:MAX_SCORES]
    while True:
        said = json.dumps({path: round(float(scores[path]), _DIGITS) for path in best}, separators=(",", ":"))
        if len(said) <= _MAX_SCORES_BYTES:
            return said
        best = best[: len(best) // 2]


def _read_scores(text: str) -> dict[str, float]:
    found: Any = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"{SCORES_TAG} is no object")  # noqa: TRY004 - as all that cannot be read
    return {str(path): float(score) for path, score in found.items()}
