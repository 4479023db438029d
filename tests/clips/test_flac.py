"""Clips as FLAC: 16 bits come back as they were, and the file says what it is."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.made import FEW_EXAMPLES
from tests.clips.made import metadata, noise16
from tests.support.parts import require_part
from tidzam_platform.audio import probe, read_audio
from tidzam_platform.clips.flac import encode_flac, read_flac_head
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.errors import DecodingError, EmptyAudioError


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


@FEW_EXAMPLES
@given(st.integers(1, 60_000), st.integers(0, 1000))
def test_every_value_comes_back_as_it_was(tmp_path: Path, frames: int, seed: int) -> None:
    samples = noise16(frames, seed)
    samples[0], samples[-1] = -32768, 32767
    path = tmp_path / "clip.flac"
    path.write_bytes(encode_flac(samples, 48_000, {}))
    decoded = read_audio(path)
    np.testing.assert_array_equal(decoded[0] * 32768, samples)
    info = probe(path)
    assert (info.rate_hz, info.channels, info.codec, info.truncated) == (48_000, 1, "flac", False)
    assert info.seconds == frames / 48_000


def test_the_head_is_that_which_ffmpeg_writes_into_a_file(tmp_path: Path) -> None:
    samples = noise16(30_000)
    head = read_flac_head(encode_flac(samples, 48_000, {"TITLE": "Moor"}))
    assert (head.rate_hz, head.channels, head.bits, head.frames) == (48_000, 1, 16, 30_000)
    assert head.md5 == hashlib.md5(samples.tobytes()).digest()  # noqa: S324 - FLAC's checksum
    raw = ("-f", "s16le", "-ar", "48000", "-ac", "1", "-i", "pipe:0")
    subprocess.run(
        [require_part("ffmpeg"), "-v", "error", *raw, "-sample_fmt", "s16", tmp_path / "theirs.flac"],
        input=samples.tobytes(),
        check=True,
    )
    theirs = read_flac_head((tmp_path / "theirs.flac").read_bytes())
    assert (theirs.md5, theirs.frames, theirs.bits) == (head.md5, head.frames, head.bits)


def test_equal_clips_have_equal_bytes_and_are_told_by_every_reader(tmp_path: Path) -> None:
    about = metadata("birds-robin")
    first, again = (encode_flac(noise16(4800), 48_000, about.to_comments()) for _ in range(2))
    assert first == again
    path = tmp_path / "clip.flac"
    path.write_bytes(first)
    assert dict(probe(path).tags) == dict(read_flac_head(first).comments)
    assert probe(path).tags["tidzam_class"] == "birds-robin"
    assert ClipMetadata.from_comments(read_flac_head(first).comments) == about


def test_no_samples_are_no_clip() -> None:
    with pytest.raises(EmptyAudioError):
        encode_flac(np.zeros(0, np.int16), 48_000, {})


@pytest.mark.parametrize("comments", [{"a=b": "c"}, {"": "c"}, {"ü": "c"}, {"A": "c" * 20_000}])
def test_comments_that_no_reader_would_understand_are_refused(comments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="comment"):
        encode_flac(noise16(100), 48_000, comments)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"fLaC" + data))
def test_what_is_no_flac_is_refused(data: bytes) -> None:
    with pytest.raises(DecodingError):
        read_flac_head(data)


def test_a_file_that_was_cut_before_its_audio_is_refused() -> None:
    whole = encode_flac(noise16(100), 48_000, metadata().to_comments())
    for length in range(0, 100, 7):
        with pytest.raises(DecodingError):
            read_flac_head(whole[:length])
