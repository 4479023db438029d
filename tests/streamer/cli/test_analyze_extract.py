"""``./tidzam analyze --extract``: clips of files and of channels in a folder."""

from __future__ import annotations

import json
import threading
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from serving.prediction import Prediction
from serving.signature import ModelDescription
from streamer.analyzer.extraction import Extraction, extraction_rules
from streamer.cli import live_analysis
from streamer.cli.analyze import analyze
from streamer.cli.extracting import Clips
from tests.streamer.analyzer.hearing.small_engine import SmallEngine
from tests.support.parts import require_part
from tests.support.tiny_model import description
from tidzam_platform.audio import Window, read_audio
from tidzam_platform.clips import ClipMetadata
from tidzam_platform.clips.flac import read_flac_head
from tidzam_platform.clock import parse_utc
from tidzam_platform.settings import Settings

RATE_HZ = 48_000


class LoudIsABird:
    """A chiffchaff where a window is loud, else unknown."""

    def describe(self) -> ModelDescription:
        return description(4)

    def predict(self, audio: NDArray[np.float32]) -> Prediction:
        loud = np.sqrt((audio**2).mean(axis=1)) > 0.1
        scores = np.outer(loud, [0.95, 0.9, 0.0]).astype(np.float32)
        return Prediction(scores, audio[:, :8].copy(), np.full(len(audio), -20, np.float32), 4)

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        return self.predict(np.concatenate([window.samples for window in windows]))


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    require_part("ffmpeg")

    @contextmanager
    def model(*_what: Any, **_how: Any) -> Iterator[LoudIsABird]:
        yield LoudIsABird()

    monkeypatch.setattr(live_analysis, "_model", model)


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, NDArray[np.int16]]:
    """Ten seconds of two channels; the second one sounds from 0 to 0.5 s, from 5 to 5.5 s and at its end."""
    samples = np.zeros((10 * RATE_HZ, 2), np.int16)
    random = np.random.default_rng(3)
    for begin_s in (0.0, 5.0, 9.5):
        begin = round(begin_s * RATE_HZ)
        samples[begin : begin + RATE_HZ // 2, 1] = random.integers(-15_000, 15_000, RATE_HZ // 2)
    path = tmp_path / "marsh-2026-04-01-12-00-00.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path, samples


def run(*arguments: object) -> Any:
    return CliRunner().invoke(analyze, [str(one) for one in arguments], catch_exceptions=False)


def told(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"clip"')]


def test_clips_of_a_file_are_its_samples(
    home: Settings, recording: tuple[Path, NDArray[np.int16]], tmp_path: Path
) -> None:
    path, samples = recording
    answered = run("--stream", path, "--extract", "birds", "--out", tmp_path / "clips", "--json")
    assert answered.exit_code == 0, answered.output
    clips = told(answered.stdout)
    starts = []
    for clip in clips:
        inside = ClipMetadata.from_comments(read_flac_head(Path(clip["clip"]).read_bytes()).comments)
        begin = round((inside.start.timestamp() - 1_775_044_800) * RATE_HZ)
        starts.append(begin / RATE_HZ)
        np.testing.assert_array_equal(
            read_audio(Path(clip["clip"]))[0] * 32768, samples[begin : begin + 3 * RATE_HZ, 1]
        )
        assert (inside.channel, inside.generation) == ("marsh:out_2", 4)
    # A clip begins with the file where the sound does, and ends with it; the others have the window in the middle.
    assert starts[0] == 0.0
    assert starts[-1] == 7.0
    assert 3.0 < starts[1] < 4.0
    assert len(clips) == 3
    again = run("--stream", path, "--extract", "birds", "--out", tmp_path / "clips", "--json")
    assert [clip["is_new"] for clip in told(again.stdout)] == [False] * 3
    assert home.home.is_dir()


def test_the_same_stretch_is_written_once_whatever_it_was_cut_for(
    home: Settings, recording: tuple[Path, NDArray[np.int16]], tmp_path: Path
) -> None:
    """A sound at the file's start and the quiet after it: both clips begin with the file."""
    assert home.home.is_dir()
    arguments = ("--extract", "birds", "--extract", "unknown", "--extract-channels", "marsh:out_2")
    answered = run("--stream", recording[0], *arguments, "--out", tmp_path / "clips", "--json")
    clips = told(answered.stdout)
    starts = [clip["start"] for clip in clips if clip["is_new"]]
    assert len(starts) == len(set(starts))
    assert {clip["clip"] for clip in clips if not clip["is_new"]} <= {
        clip["clip"] for clip in clips if clip["is_new"]
    }
    written = list((tmp_path / "clips").rglob("*.flac"))
    assert len({read_flac_head(path.read_bytes()).md5 for path in written}) == len(written) == len(starts)


def test_windows_have_the_names_of_clips_and_say_their_place(
    home: Settings, recording: tuple[Path, NDArray[np.int16]], tmp_path: Path
) -> None:
    assert home.home.is_dir()
    answered = run("--stream", recording[0], "--extract", "birds", "--out", tmp_path / "clips", "--json")
    windows = [json.loads(line) for line in answered.stdout.splitlines() if '"outputs"' in line]
    assert {one["channel"] for one in windows} == {"marsh:out_1", "marsh:out_2"}
    assert {clip["channel"] for clip in told(answered.stdout)} == {"marsh:out_2"}
    assert {one["file"] for one in windows} == {str(recording[0])}
    assert (windows[0]["seconds"], windows[0]["time"]) == (0.0, "2026-04-01T12:00:00.000Z")
    assert all(parse_utc(one["time"]).timestamp() == 1_775_044_800 + one["seconds"] for one in windows)
    other = recording[0].rename(tmp_path / "a walk.wav")
    (first, *_) = run("--stream", other, "--json").stdout.splitlines()
    timeless = json.loads(first)
    assert (timeless["channel"], timeless["seconds"], timeless["time"]) == ("a-walk:out_1", 0.0, None)


def test_only_the_channel_that_is_asked_for(
    home: Settings, recording: tuple[Path, NDArray[np.int16]], tmp_path: Path
) -> None:
    arguments = ("--stream", recording[0], "--extract", "birds", "--out", tmp_path / "clips")
    assert home.home.is_dir()
    for more in (("--channel", 1), ("--extract-channels", "marsh:out_1"), ("--extract-channels", "pond")):
        answered = run(*arguments, *more)
        assert answered.exit_code == 0
        assert "0 new clip(s)" in " ".join(answered.stderr.split())
    assert "3 new clip(s)" in " ".join(run(*arguments, "--extract-channels", "marsh").stderr.split())


def test_clips_of_channels_are_what_sounded(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until Ctrl-C, which comes when a clip was told."""
    rules = extraction_rules(["birds"], ["marsh:*"], home.clips.preroll_mb)
    clips = Clips(Extraction(home, rules, tmp_path / "clips", waits=False), tmp_path / "clips", quiet=True)
    tell, ending = clips._tell, threading.Event()

    def tell_and_end(written: Any) -> None:
        tell(written)
        if clips._new and not ending.is_set():
            ending.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(clips, "_tell", tell_and_end)
    with SmallEngine(home.home) as engine:
        engine.add("marsh")
        engine.add("pond")

        def play() -> None:
            while not ending.wait(0.02):
                for name in ("marsh", "pond"):
                    engine.write(name, 2400)
                engine.cycle(2400)

        playing = threading.Thread(target=play)
        playing.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                live_analysis.hear_channels(["*"], None, live_analysis.Display(), clips)
        finally:
            ending.set()
            playing.join()
    found = list((tmp_path / "clips" / "unchecked").glob("*.flac"))
    assert found
    for path in found:
        head = read_flac_head(path.read_bytes())
        assert ClipMetadata.from_comments(head.comments).source == "marsh"
        assert head.frames == 3 * RATE_HZ


@pytest.mark.parametrize(
    "arguments",
    [
        ("--extract", "birds"), ("--stream", ".", "--extract", "birds"), ("--stream", ".", "--out", "x"),
        ("--stream", ".", "--extract-channels", "marsh"), ("--jack", "marsh", "--out", "x"), ("--out", "x", "file"),
    ],
)  # fmt: skip
def test_half_of_the_options_is_wrong_usage(home: Settings, arguments: tuple[str, ...]) -> None:
    assert home.home.is_dir()
    assert run(*arguments).exit_code == 2
