"""What a file is said to hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.made import ENCODERS, FEW_EXAMPLES, encode, noise
from tests.audio.test_decoding import decode, write
from tidzam_platform.audio import AudioInfo, holes_in_frames, probe
from tidzam_platform.errors import AudioError, EmptyAudioError, MissingSystemPartError

CONTAINERS = {"oggflac": "ogg", "opus": "ogg", "vorbis": "ogg", "adts": "aac", "webm": "matroska"}
CODECS = {
    "oggflac": "flac",
    "adts": "aac",
    "mp4": "aac",
    "webm": "opus",
    "wav": "pcm_s16le",
    "aiff": "pcm_s16be",
    "caf": "pcm_s16le",
    "au": "pcm_s16be",
}


@pytest.mark.parametrize("kind", sorted(ENCODERS))
@pytest.mark.parametrize(("rate_hz", "channels"), [(48000, 1), (16000, 2)])
def test_codec_rate_channels_and_length_are_told(
    tmp_path: Path, kind: str, rate_hz: int, channels: int
) -> None:
    path = encode(noise(1.5, channels=channels, rate_hz=rate_hz), tmp_path / "a", kind, rate_hz=rate_hz)
    info = probe(path)
    assert info.container == CONTAINERS.get(kind, kind)
    assert info.codec == CODECS.get(kind, kind)
    assert info.rate_hz == (48000 if info.codec == "opus" else rate_hz)
    assert info.channels == channels
    # Frames of MP3 and AAC are whole, and those containers do not all say how much of them is padding.
    assert (
        0
        <= info.seconds - 1.5
        < (0.25 if kind in ("mp3", "adts", "mp4") else 1e-9 if kind != "webm" else 0.01)
    )
    assert info.holes == ()
    assert not info.truncated


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "au"])
@pytest.mark.parametrize("rest", [0.3, 0.7])
def test_a_file_that_holds_less_than_its_header_promises_is_cut(
    tmp_path: Path, kind: str, rest: float
) -> None:
    data = encode(noise(3.0), tmp_path / "whole", kind).read_bytes()
    path = write(tmp_path / "cut", data[: round(rest * len(data))])
    info = probe(path)
    assert info.truncated
    assert abs(info.seconds - 3.0 * rest) < 0.1
    assert decode(path).shape[1] == round(info.seconds * 48000)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_streamed_wav_file_promises_nothing_and_is_not_cut(tmp_path: Path, length: int) -> None:
    data = bytearray(encode(noise(1.0), tmp_path / "whole", "wav", options=("-bitexact",)).read_bytes())
    data[40:44] = length.to_bytes(4, "little")
    info = probe(write(tmp_path / "streamed.wav", data))
    assert info.seconds == 1.0
    assert not info.truncated


def test_wav_of_more_than_4_gib_is_told_by_its_64_bit_chunk(tmp_path: Path) -> None:
    options = ("-rf64", "always", "-bitexact")
    path = encode(noise(1.0), tmp_path / "a.wav", "wav", options=options)
    assert path.read_bytes()[:4] == b"RF64"
    assert probe(path).seconds == 1.0
    cut = probe(write(tmp_path / "cut.wav", path.read_bytes()[:-2000]))
    assert cut.truncated
    assert cut.seconds == 1.0 - 1000 / 48000


def test_chunks_before_and_after_the_audio_are_not_audio(tmp_path: Path) -> None:
    data = encode(noise(1.0), tmp_path / "a.wav", "wav", options=("-metadata", "title=Moor")).read_bytes()
    info = probe(write(tmp_path / "b.wav", data, b"LIST\x04\0\0\0INFO"))
    assert info.seconds == 1.0
    assert info.tags["title"] == "Moor"


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac", "flac", "mp3", "mp4"])
def test_tags_have_keys_in_lower_case(tmp_path: Path, kind: str) -> None:
    options = ("-metadata", "TITLE=Über dem Moor", "-metadata", "Comment=a=b")
    tags = probe(encode(noise(0.5), tmp_path / "a", kind, options=options)).tags
    assert tags["title"] == "Über dem Moor"
    assert tags.get("comment", tags.get("description")) == "a=b"


def test_an_mp3_file_with_id3_tags_of_any_length_is_recognised(tmp_path: Path) -> None:
    data = encode(noise(0.5), tmp_path / "a.mp3", "mp3").read_bytes()
    assert data.startswith(b"ID3")
    big = 200_000
    size = bytes((big >> shift) & 0x7F for shift in (21, 14, 7, 0))
    info = probe(write(tmp_path / "b.mp3", b"ID3\x04\0\0", size, bytes(big), data))
    assert info.codec == "mp3"


def test_a_video_is_heard_and_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    source = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=64x64:rate=5:duration=2",
        "-f",
        "lavfi",
        "-i",
        "sine=440:duration=2",
    ]
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:a", "aac", path], check=True)
    info = probe(path)
    assert info.codec == "aac"
    assert 2.0 <= info.seconds < 2.1
    silent = tmp_path / "silent.mp4"
    subprocess.run(["ffmpeg", "-v", "error", *source[:4], silent], check=True)
    with pytest.raises(EmptyAudioError, match="without an audio stream"):
        probe(silent)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
@given(data=st.data())
@FEW_EXAMPLES
def test_a_damaged_file_is_probed_and_decoded_or_refused_with_a_typed_error(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    whole = tmp_path / "whole"
    if not whole.exists():
        encode(noise(0.3), whole, kind)
    damaged = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(4, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(1, 50))] = data.draw(st.binary(min_size=1, max_size=50))
    path = write(tmp_path / "damaged", damaged[: data.draw(st.integers(8, len(damaged)))])
    try:
        info = probe(path)
        frames = decode(path).shape[1]
    except AudioError as error:
        if str(path) not in str(error):
            raise
    else:
        if info.container in ("ogg", "flac"):
            assert frames == round(info.seconds * info.rate_hz)


def test_without_ffmpeg_ogg_is_probed_and_the_rest_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opus = encode(noise(0.5), tmp_path / "a.opus", "opus")
    mp3 = encode(noise(0.5), tmp_path / "a.mp3", "mp3")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert probe(opus).seconds == 0.5
    with pytest.raises(MissingSystemPartError, match="apt-get install ffmpeg"):
        probe(mp3)
    with pytest.raises(MissingSystemPartError, match="apt-get install ffmpeg"):
        decode(opus)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), max_size=5), st.integers(1, 200_000))
def test_holes_in_frames_cover_the_holes_and_less_than_a_frame_more(
    ticks: list[tuple[int, int]], rate_hz: int
) -> None:
    holes = tuple((start / 48000, (start + length) / 48000) for start, length in ticks)
    info = AudioInfo("ogg", "opus", 48000, 1, 1e6, holes, truncated=False, tags={})
    for (start, length), (first, last) in zip(ticks, holes_in_frames(info, rate_hz), strict=True):
        exact_start, exact_end = start * rate_hz / 48000, (start + length) * rate_hz / 48000
        assert exact_start - 1 < first <= exact_start + 1e-3
        assert exact_end - 1e-3 <= last < exact_end + 1


def test_holes_at_the_rate_of_the_file_are_exact() -> None:
    info = AudioInfo("ogg", "opus", 48000, 1, 10, ((1 / 48000, 7 / 48000), (58.9935, 68.9935)), False, {})
    assert holes_in_frames(info, 48000) == [(1, 7), (2831688, 3311688)]
    assert np.shape(holes_in_frames(info, 16000)) == (2, 2)
