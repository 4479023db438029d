"""``./tidzam analyze --extract``: clips into a folder, told as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tidzam_platform.cli.output import print_json, print_line, remarks
from tidzam_platform.clock import format_utc

if TYPE_CHECKING:
    from serving.signature import ModelDescription
    from streamer.analyzer.extraction import Extraction, RecordedSound, WrittenClip
    from streamer.analyzer.hearing import AudioHistory
    from streamer.analyzer.windows import Run, WindowResult
    from tidzam_platform.audio import AudioInfo


class Clips:
    """What is cut out of what is heard: nothing, or what an extraction says.

    Args:
        extraction: cuts them; None: nothing is cut.
        folder: where they go, for people.
        as_json: an object on standard output for each, else a line.
        quiet: a picture stands in the terminal: only the sum is told.
    """

    def __init__(
        self,
        extraction: Extraction | None = None,
        folder: Path = Path(),
        *,
        as_json: bool = False,
        quiet: bool = False,
    ) -> None:
        self._extraction, self._folder = extraction, folder
        self._as_json, self._quiet = as_json, quiet
        self._sound: RecordedSound | None = None
        self._now_s = 0.0
        self._new = 0

    @contextmanager
    def cut(self) -> Iterator[None]:
        """While the context lasts clips are cut; afterwards all are written and told."""
        if self._extraction is None:
            yield
            return
        try:
            with self._extraction:
                yield
        except KeyboardInterrupt:  # the usual end of what is heard live
            self._sum_up(self._extraction)
            raise
        self._sum_up(self._extraction)

    def begin_live(self, description: ModelDescription) -> AudioHistory | None:
        """What shall keep the sound that clips are cut from; raises as ``Extraction.history``."""
        if self._extraction is None:
            return None
        history = self._extraction.history()
        self._extraction.begin(history, _thresholds(description))
        return history

    @contextmanager
    def file(self, path: Path, info: AudioInfo, description: ModelDescription) -> Iterator[Run]:
        """While the context lasts this file is heard, whose windows are told; yields the run that it is."""
        from streamer.analyzer.extraction import RecordedSound, run_of_file
        from streamer.analyzer.extraction.recorded_sound import BLOCK_S
        from streamer.analyzer.windows import Geometry

        geometry = Geometry.of(description)
        extraction = self._extraction
        if extraction is None:
            yield run_of_file(path, info, geometry, None)
            return
        run = run_of_file(path, info, geometry, extraction.home.catalog)
        history = extraction.history(extra_s=description.window_s + description.hop_s + BLOCK_S)
        extraction.begin(history, _thresholds(description), clock=lambda: self._now_s)
        with RecordedSound(path, info, run, history) as self._sound:
            yield run
            self._sound.advance(float("inf"))
            extraction.settle_all(info.seconds)
            self._tell(extraction.written())
        self._sound = None

    def hear(self, result: WindowResult) -> None:
        """A window was heard."""
        if self._extraction is not None:
            self._now_s = result.key.ended_s
            self._extraction.hear(result)

    def settle(self, now_s: float) -> None:
        """Time has come so far, on the clock of windows' ends; raises as ``Extraction.settle``."""
        if self._extraction is None:
            return
        if self._sound is not None:
            self._sound.advance(now_s)
        self._tell(self._extraction.settle(now_s))

    def _tell(self, clips: Iterable[WrittenClip]) -> None:
        for clip in clips:
            self._new += clip.is_new
            about = clip.metadata
            if self._as_json:
                print_json(
                    {
                        "clip": str(clip.path),
                        "channel": about.channel,
                        "start": format_utc(about.start),
                        "class": about.class_path,
                        "score": round(about.score, 4),
                        "is_new": clip.is_new,
                    }
                )
            elif not self._quiet:
                print_line(f"clip  {clip.path}")

    def _sum_up(self, extraction: Extraction) -> None:
        self._tell(extraction.written())
        remarks.print(f"{self._new} new clip(s) in {self._folder}")
        if skipped := extraction.skipped:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(skipped.items()))
            remarks.print(f"windows that gave no clip (docs/clips.md): {reasons}")


def _thresholds(description: ModelDescription) -> dict[str, float]:
    return {known.path: known.threshold for known in description.classes}
