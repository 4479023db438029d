"""Windows that are heard as they sound, for ``./tidzam analyze --jack`` and ``--stream``.

Nothing is kept, but for the clips of ``--extract``.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer.cli.extracting import Clips
from streamer.cli.live_answers import LiveAnswers
from streamer.cli.spectrogram_view import LivePicture, SpectrogramView
from tidzam_platform.cli.output import print_json, print_line, remarks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.analysis import Model
    from serving.signature import ModelDescription
    from streamer.analyzer.windows import Moment, WindowResult
    from tidzam_platform.classifiers.decision import Answer
    from tidzam_platform.settings import Settings

_WAITING: Final = 64  # moments between hearing and asking: more is behind by seconds
_POLL_S: Final = 0.5
_NOTHING_S: Final = 3.0  # without a channel for so long: it is said which ones there are
_MOST_SAID: Final = 20  # channels
_DIGITS: Final = 4


@dataclass
class Display:
    """Says what is heard: a line when a channel's answer changes, JSON for each window, or a picture."""

    as_json: bool = False
    show: bool = False

    def __post_init__(self) -> None:
        self._last: dict[str, Answer] = {}
        self._views: dict[str, SpectrogramView] = {}
        self._picture: LivePicture | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the context lasts, the picture stands in the terminal."""
        if not self.show:
            yield
            return
        with LivePicture() as self._picture:
            yield

    def window(
        self,
        channel: str,
        when: str,
        answer: Answer,
        scores: dict[str, float],
        new: NDArray[np.float32],
        rate_hz: int,
        place: Mapping[str, Any],
    ) -> None:
        """One window of a channel.

        Args:
            channel: its name.
            when: the time of its start, in words.
            answer: what it is taken for.
            scores: of every class.
            new: float32 ``[frames]``, its samples that were in no window before.
            rate_hz: of the samples.
            place: where it began, as JSON says it.
        """
        changed = self._last.get(channel) is None or self._last[channel].class_path != answer.class_path
        self._last[channel] = answer
        if self.as_json:
            told = {path: round(score, _DIGITS) for path, score in scores.items()}
            print_json({"channel": channel, **place, "result": answer.class_path, "outputs": told})
        elif self._picture is not None:
            self._views.setdefault(channel, SpectrogramView(rate_hz)).add(new)
            first = next(iter(self._views))
            lines = [f"{name}  {heard.class_path}  {heard.score:.2f}" for name, heard in self._last.items()]
            self._picture.update([when, first], self._views[first], lines)
        elif changed:
            print_line(f"{when}  {channel}  {answer.class_path}  {answer.score:.2f}")


def patterns_of(text: str) -> list[str]:
    """What a person wrote for channels, with commas between: patterns, and names of sources for all of theirs.

    Raises:
        InvalidNameError: one of them cannot describe a channel.
    """
    from tidzam_platform.channel_patterns import valid_channel_pattern
    from tidzam_platform.names import is_source

    words = [word.strip() for word in text.split(",")]
    return [f"{word}:out_*" if is_source(word) else valid_channel_pattern(word) for word in words]


def what_there_is(home: Path, patterns: Sequence[str]) -> str:
    """Said to who waits for channels that are not there.

    Raises:
        EngineUnavailableError: no engine of this home runs.
    """
    from streamer.engine.rings import Directory

    with Directory.open(home) as directory:
        channels = sorted(entry["channel"] for entry in directory.read().get("slots", []))
    there = ", ".join(channels[:_MOST_SAID]) + (", ..." if len(channels) > _MOST_SAID else "")
    found = (
        f"there are {there}" if channels else "the engine has no channels (./tidzam source add makes some)"
    )
    return f"no channel matches {', '.join(patterns)}: {found}; they are heard when they come"


def hear_channels(
    patterns: Sequence[str], server: str | None, display: Display, clips: Clips | None = None
) -> None:
    """Hear the engine's channels that match ``patterns`` until Ctrl-C.

    Raises:
        RuleError: clips need more memory than there is.
        EngineUnavailableError: no engine of this home runs.
        ModelServerError: the model server does not answer.
    """
    from streamer.analyzer.hearing import Hearer
    from streamer.analyzer.windows import Geometry
    from streamer.engine.rings import Directory
    from tidzam_platform.clock import format_utc
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    Directory.open(settings.home).close()  # says so at once where no engine runs
    chosen = settings.analyzer.model_copy(update={"channels": tuple(patterns)})
    moments: queue.Queue[Moment] = queue.Queue(_WAITING)
    dropped = 0

    def take(moment: Moment) -> None:
        nonlocal dropped
        try:
            moments.put_nowait(moment)
        except queue.Full:
            dropped += len(moment.keys)

    clips = clips or Clips()
    with _model(settings, server, local=False, generation=None) as model, clips.cut():
        description = model.describe()
        decide = LiveAnswers(description, settings)
        hearer = Hearer(settings.home, chosen, take, clips.begin_live(description))
        hearer.set_geometry(Geometry.of(description))
        hearer.start()
        say_at_s = time.monotonic() + _NOTHING_S
        try:
            with display.shown():
                while True:
                    clips.settle(time.monotonic())
                    try:
                        moment = moments.get(timeout=_POLL_S)
                    except queue.Empty:
                        if time.monotonic() >= say_at_s:
                            say_at_s = float("inf")
                            if not hearer.status()["channels"]:
                                remarks.print(what_there_is(settings.home, patterns), style="yellow")
                        continue
                    results = decide(moment.keys, model.predict(moment.audio))
                    for key, audio, result in zip(moment.keys, moment.audio, results, strict=True):
                        new = audio[-description.hop_frames :]
                        utc = format_utc(key.start)
                        display.window(
                            key.channel,
                            utc,
                            result.answer,
                            _scores(result),
                            new,
                            description.rate_hz,
                            {"time": utc},
                        )
                        clips.hear(result)
        finally:
            hearer.stop()
            if dropped:
                remarks.print(f"{dropped} windows were dropped: the model server is too slow", style="yellow")


def hear_stream(
    path: Path,
    display: Display,
    *,
    channel: int | None,
    server: str | None,
    local: bool,
    generation: int | None,
    clips: Clips | None = None,
) -> None:
    """Hear a file, or the audio files of a folder in the order of their names; paced by time where it is shown.

    Raises:
        AudioError: a file cannot be used.
        ModelServerError: the model server does not answer.
    """
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    clips = clips or Clips()
    with (
        _model(settings, server, local=local, generation=generation) as model,
        clips.cut(),
        display.shown(),
    ):
        description = model.describe()
        for file in _audio_files(path):
            # Two of them may have one name and no time: nothing is smoothed across them.
            decide = LiveAnswers(description, settings)
            _hear_file(file, model, description, decide, display, channel, clips)


def _hear_file(
    path: Path,
    model: Model,
    description: ModelDescription,
    decide: LiveAnswers,
    display: Display,
    channel: int | None,
    clips: Clips,
) -> None:
    from streamer.analyzer.windows import WindowKey
    from tidzam_platform.audio import cut_windows, decode_blocks, holes_in_frames, probe
    from tidzam_platform.clock import format_utc

    info = probe(path)
    rate_hz, hop_frames = description.rate_hz, description.hop_frames
    began_s = time.monotonic()
    windows = cut_windows(
        decode_blocks(path, rate_hz=rate_hz, info=info),
        window_frames=description.window_frames,
        hop_frames=hop_frames,
        holes=holes_in_frames(info, rate_hz),
    )
    with clips.file(path, info, description) as run:
        for window in windows:
            ends_s = (window.start_frame + description.window_frames) / rate_hz
            if display.show:  # as if it sounded now
                time.sleep(max(0.0, began_s + ends_s - time.monotonic()))
            keys = [
                WindowKey(run, number, window.start_frame, ends_s)
                for number in range(1, len(window.samples) + 1)
            ]
            start_s = window.start_frame / rate_hz
            when = f"{path.name} {start_s:.2f} s"
            utc = format_utc(keys[0].start) if run.anchor_utc_ns else None  # 1970: the file has no time
            place = {"file": str(path), "seconds": round(start_s, _DIGITS), "time": utc}
            for samples, result in zip(
                window.samples, decide(keys, model.predict_windows([window])), strict=True
            ):
                if channel in (None, result.key.number):
                    name, new = result.key.channel, samples[-hop_frames:]
                    display.window(name, when, result.answer, _scores(result), new, rate_hz, place)
                    clips.hear(result)
            clips.settle(ends_s)


def _scores(result: WindowResult) -> dict[str, float]:
    return dict(zip(result.paths, result.scores.tolist(), strict=True))


@contextmanager
def _model(settings: Settings, server: str | None, *, local: bool, generation: int | None) -> Iterator[Any]:
    if local:
        from serving.local import open_generation

        yield open_generation(settings.models_folder, generation)
        return
    from serving.client import ModelClient

    how = settings.model_server
    with ModelClient(
        server or f"{how.host}:{how.port}", deadline_s=how.deadline_s, max_message_mb=how.max_message_mb
    ) as client:
        yield client


def _audio_files(path: Path) -> list[Path]:
    from tidzam_platform.errors import AudioError
    from tidzam_platform.labels.folder_reader import AUDIO_SUFFIXES

    if not path.is_dir():
        return [path]
    found = sorted(
        file for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
    )
    if not found:
        raise AudioError(f"there is no audio file in {path}")
    return found
