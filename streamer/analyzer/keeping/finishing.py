"""The last look at a clip whose audio is there: filters, what is written inside it, and on to the writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from streamer.analyzer.keeping.object_filter import holds_whole_sound
from streamer.analyzer.keeping.selection import Chosen, Selector
from streamer.analyzer.keeping.spans import Span
from streamer.analyzer.keeping.waiting import Settled
from streamer.analyzer.keeping.writer import ClipJob
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.recording_clips import CLIP_RATE_HZ
from tidzam_platform.clock import format_utc

CUT_SOUND: Final = "cut_sound"
NEAR_DUPLICATE: Final = "near_duplicate"
NO_ROOM: Final = "no_room"
BUSY: Final = "busy"


class TakesClips(Protocol):
    """What writes clips: ``streamer.analyzer.keeping.writer.ClipWriter``."""

    @property
    def accepts(self) -> bool:
        """Whether there is room for clips now."""

    def submit(self, job: ClipJob) -> bool:
        """Write a clip soon; False if too many wait."""


class ClipFinisher:
    """For one thread.

    Args:
        selector: told what is kept and what is not.
        writer: gets the clips.
        tell: told ``clip_skipped`` of each that is not kept.
    """

    def __init__(self, selector: Selector, writer: TakesClips, tell: Callable[..., None]) -> None:
        self._selector, self._writer, self._tell = selector, writer, tell
        self.skipped = Counter[str]()

    def finish(self, settled: Settled) -> None:
        """Hand a clip to the writer, or skip it."""
        chosen, samples = settled.chosen, settled.samples
        if samples is None:
            self.skip(chosen, settled.reason)
        elif chosen.spec.object_filter and not holds_whole_sound(samples, CLIP_RATE_HZ):
            self.skip(chosen, CUT_SOUND)
        elif self._selector.is_near_duplicate(chosen):
            self.skip(chosen, NEAR_DUPLICATE)
        elif not self._writer.submit(ClipJob(samples, metadata_of(chosen, settled.span))):
            self.skip(chosen, BUSY)
        else:
            self._selector.keep(chosen)

    def skip(self, chosen: Chosen, reason: str) -> None:
        """A chosen window gives no clip."""
        self.skipped[reason] += 1
        # Where there is no place for clips the channel pauses as if there were one: not every window is told.
        self._selector.give_up(chosen, ends_pause=reason not in (NO_ROOM, BUSY))
        self._tell(
            "clip_skipped",
            channel=chosen.result.key.channel,
            time=format_utc(chosen.result.key.start),
            class_path=chosen.match.class_path,
            rule=chosen.rule.id,
            reason=reason,
        )


def metadata_of(chosen: Chosen, span: Span) -> ClipMetadata:
    """What is written inside the clip that ``span`` of its run is."""
    result, key = chosen.result, chosen.result.key
    rate_hz = key.run.geometry.rate_hz
    begin_s = (key.start_frame - span.begin) / rate_hz
    return ClipMetadata(
        channel=key.channel,
        start_utc_ns=span.start_utc_ns(key.run),
        class_path=chosen.match.class_path,
        score=chosen.match.score,
        scores=dict(zip(result.paths, map(float, result.scores), strict=True)),
        window=(begin_s, begin_s + key.run.geometry.window_frames / rate_hz),
        level_dbfs=result.level_dbfs,
        generation=result.generation,
        rule_id=chosen.rule.id,
        destination=chosen.spec.destination,
        canary=chosen.canary,
    )
