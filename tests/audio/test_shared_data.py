"""What the real audio for tests says of itself, against what we find in it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.audio.made import match
from tests.audio.test_decoding import decode, strongest_hz
from tests.support.data import shared_data
from tidzam_platform.audio import cut_windows, decode_blocks, holes_in_frames, probe, read_audio
from tidzam_platform.errors import AudioError, EmptyAudioError, UnknownAudioFormatError

INTACT = ("archive", "marsh", "marsh-2026-04-01-05-00-00.opus")  # what the damaged recordings were made from


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_of_messy_agrees_with_its_manifest() -> None:
    folder = shared_data("messy")
    rows = _rows(folder / "manifest.csv")
    assert len(rows) == 77
    for row in rows:
        info = probe(folder / row["file"])
        found = (info.codec, info.rate_hz, info.channels)
        assert found == (row["codec"], int(row["rate_hz"]), int(row["channels"])), row["file"]
        assert abs(info.seconds - float(row["seconds"])) < 0.05, row["file"]


@pytest.mark.long
def test_all_of_messy_decodes_to_the_length_that_was_probed() -> None:
    folder = shared_data("messy")
    for row in _rows(folder / "manifest.csv"):
        info = probe(folder / row["file"])
        samples = read_audio(folder / row["file"])
        assert samples.shape == (info.channels, round(info.seconds * info.rate_hz)), row["file"]
        assert samples.any(), row["file"]


@pytest.mark.parametrize(("name", "start_s", "end_s"), [("pages-removed", 59, 69), ("byte-flipped", 89, 90)])
def test_holes_are_found_and_what_follows_them_keeps_its_time(
    name: str, start_s: float, end_s: float
) -> None:
    damaged, intact = shared_data("edge", f"{name}.opus"), shared_data(*INTACT)
    info = probe(damaged)
    assert info.seconds == probe(intact).seconds == 180
    ((found_start_s, found_end_s),) = info.holes
    assert abs(found_start_s - start_s) < 0.02
    assert abs(found_end_s - end_s) < 0.02
    assert not info.truncated

    rate_hz = 16000
    reference = decode(intact, rate_hz=rate_hz)
    holes = holes_in_frames(info, rate_hz)
    windows = list(
        cut_windows(
            decode_blocks(damaged, rate_hz=rate_hz),
            window_frames=rate_hz,
            hop_frames=rate_hz // 2,
            holes=holes,
        )
    )
    starts = [window.start_frame for window in windows]
    ((hole_start, hole_end),) = holes
    assert starts == [
        frame
        for frame in range(0, 179 * rate_hz + 1, rate_hz // 2)
        if frame + rate_hz <= hole_start or frame >= hole_end
    ]
    for window in windows:
        for channel in range(info.channels):
            expected = reference[channel, window.start_frame : window.start_frame + rate_hz]
            found = match(window.samples[channel], expected)
            assert abs(found.lag) <= 1
            # Within 200 ms of a loss an Opus decoder has not yet converged.
            assert found.correlation > (0.98 if abs(window.start_frame - hole_end) > rate_hz // 5 else 0.8)


def test_a_truncated_recording_gives_its_prefix_and_says_so() -> None:
    path, intact = shared_data("edge", "truncated.opus"), shared_data(*INTACT)
    info = probe(path)
    assert info.truncated
    assert 100 < info.seconds < 180
    assert info.holes == ()
    samples = decode(path)
    assert samples.shape[1] == round(info.seconds * 48000)
    np.testing.assert_allclose(samples, decode(intact)[:, : samples.shape[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "error"),
    [("empty", EmptyAudioError), ("header-only", EmptyAudioError), ("not-audio", UnknownAudioFormatError)],
)
def test_what_holds_no_audio_is_a_typed_error(name: str, error: type[AudioError]) -> None:
    path = shared_data("edge", f"{name}.opus")
    for use in (probe, decode):
        with pytest.raises(error, match=name):
            use(path)


def test_each_channel_of_the_impoundment_carries_its_own_tone() -> None:
    path = shared_data("edge", "impoundment-2026-04-01-06-00-00.opus")
    info = probe(path)
    assert (info.channels, info.seconds) == (30, 20.0)
    (block,) = [
        block for block in decode_blocks(path, rate_hz=16000, block_s=4.0) if block.start_frame == 2 * 64000
    ]
    assert strongest_hz(block.samples, 16000) == [300.0 + 100 * channel for channel in range(30)]


def test_clips_of_the_fieldset_are_read_whole() -> None:
    folder = shared_data("fieldset")
    rows = _rows(folder / "labels.csv")
    for row in rows[::20]:
        _check_clip(folder, row)


@pytest.mark.long
def test_every_clip_of_the_fieldset_is_read_whole() -> None:
    folder = shared_data("fieldset")
    rows = _rows(folder / "labels.csv")
    assert len(rows) == 942
    for row in rows:
        _check_clip(folder, row)


def _check_clip(folder: Path, row: dict[str, str]) -> None:
    info = probe(folder / row["file"])
    assert (info.codec, info.channels, info.holes, info.truncated) == ("opus", 1, (), False), row["file"]
    # Where a clip was an MP3 once, its label has the length that the MP3's header guessed.
    tolerance_s = 0.3 if row["source_codec"] == "mp3" else 0.05
    assert abs(info.seconds - float(row["seconds"])) < tolerance_s, row["file"]
    assert read_audio(folder / row["file"]).shape == (1, round(info.seconds * 48000)), row["file"]
