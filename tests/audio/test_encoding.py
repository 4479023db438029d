"""Files written: whole or absent, and what was in them comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.made import FEW_EXAMPLES, Samples, match, noise, tones
from tests.audio.test_decoding import decode, strongest_hz
from tests.support.waiting import wait_for
from tidzam_platform.audio import probe, rms_dbfs, write_audio
from tidzam_platform.errors import AudioError, EmptyAudioError
from tidzam_platform.files import PARTIAL_FOLDER


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 30])
def test_opus_of_any_number_of_channels_comes_back_in_order(tmp_path: Path, channels: int) -> None:
    hz = [300.0 + 100 * channel for channel in range(channels)]
    path = tmp_path / "a.opus"
    write_audio(path, tones(hz, 1.0), 48000)
    info = probe(path)
    assert (info.container, info.codec, info.rate_hz, info.channels, info.seconds) == (
        "ogg",
        "opus",
        48000,
        channels,
        1,
    )
    assert not info.truncated
    assert strongest_hz(decode(path)[:, 12000:36000], 48000) == hz


@pytest.mark.parametrize("codec", ["flac", "wav"])
@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 8000), (2, 44100), (6, 48000), (8, 96000)])
def test_flac_and_wav_come_back_unchanged(tmp_path: Path, codec: str, channels: int, rate_hz: int) -> None:
    original = noise(0.7, channels=channels, rate_hz=rate_hz)
    path = tmp_path / "a"
    write_audio(path, original, rate_hz, codec=codec)
    info = probe(path)
    assert (info.container, info.rate_hz, info.channels) == (codec, rate_hz, channels)
    np.testing.assert_allclose(decode(path), original, atol=2**-23 if codec == "flac" else 0)


def test_opus_is_at_its_own_time_and_level(tmp_path: Path) -> None:
    original = noise(3.0, channels=4)
    path = tmp_path / "a.opus"
    write_audio(path, original, 48000)
    decoded = decode(path)
    assert decoded.shape == original.shape
    for channel in range(4):
        found = match(decoded[channel], original[channel])
        assert found.lag == 0
        assert found.correlation > 0.9
    np.testing.assert_allclose(rms_dbfs(decoded), rms_dbfs(original), atol=0.1)


def test_another_rate_becomes_48_khz_in_opus_without_a_change_of_length(tmp_path: Path) -> None:
    original = noise(2.0, rate_hz=22050)
    path = tmp_path / "a.opus"
    write_audio(path, original, 22050)
    assert abs(probe(path).seconds - 2.0) < 0.001
    found = match(decode(path, rate_hz=22050)[0][:44000], original[0][:44000])
    assert abs(found.lag) <= 1
    assert found.correlation > 0.9


def test_the_bitrate_is_per_channel(tmp_path: Path) -> None:
    sizes = {}
    for kbps in (24, 96):
        write_audio(tmp_path / "a.opus", noise(4.0, channels=4), 48000, bitrate_kbps_per_channel=kbps)
        sizes[kbps] = (tmp_path / "a.opus").stat().st_size
        assert 0.5 < sizes[kbps] / (4 * 4 * kbps * 1000 / 8) < 1.5


@given(
    lengths=st.lists(st.integers(0, 70_000), min_size=1, max_size=5).filter(any),
    codec=st.sampled_from(["wav", "flac"]),
)
@FEW_EXAMPLES
def test_blocks_of_any_length_are_written_as_one(tmp_path: Path, lengths: list[int], codec: str) -> None:
    blocks = [
        noise(length / 8000, rate_hz=8000, seed=length) if length else np.zeros((1, 0)) for length in lengths
    ]
    write_audio(tmp_path / "a", iter(blocks), 8000, codec=codec)
    np.testing.assert_allclose(decode(tmp_path / "a"), np.concatenate(blocks, axis=1), atol=2**-23)


def test_arrays_of_any_layout_and_type_are_written(tmp_path: Path) -> None:
    original = noise(0.5, channels=3)
    for made in (original, np.asfortranarray(original), original.astype(np.float64), original.T.copy().T):
        write_audio(tmp_path / "a.wav", made, 48000, codec="wav")
        np.testing.assert_array_equal(decode(tmp_path / "a.wav"), original)


def test_what_is_no_number_is_written_as_silence_and_what_is_beyond_is_clipped(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.array([[np.nan, np.inf, -np.inf, 3.0, -3.0, 0.5]]), 48000, codec="wav")
    assert decode(tmp_path / "a.wav").tolist() == [[0, 0, 0, 1, -1, 0.5]]


@pytest.mark.parametrize("codec", ["opus", "flac"])
def test_tags_come_back(tmp_path: Path, codec: str) -> None:
    tags = {"tidzam_start": "2026-04-01T05:00:00.000Z", "title": "Moor = Ü; -i /etc/hostname", "empty": ""}
    write_audio(tmp_path / "a", noise(0.2), 48000, codec=codec, tags=tags)
    assert {key: probe(tmp_path / "a").tags.get(key, "") for key in tags} == tags


@pytest.mark.parametrize("codec", ["opus", "flac", "wav"])
def test_equal_samples_give_equal_bytes(tmp_path: Path, codec: str) -> None:
    for name in ("a", "b"):
        write_audio(tmp_path / name, noise(0.5), 48000, codec=codec, tags={"title": "t"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_to_write_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    for nothing in (np.zeros((2, 0), np.float32), iter(()), [np.zeros((1, 0))]):
        with pytest.raises(EmptyAudioError):
            write_audio(tmp_path / "a.opus", nothing, 48000)
    assert not (tmp_path / "a.opus").exists()


def test_what_a_codec_does_not_take_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(AudioError, match="8 channels at most"):
        write_audio(path, noise(0.1, channels=9), 48000, codec="flac")
    for arguments in (
        {"codec": "mp3"},
        {"rate_hz": 0},
        {"bitrate_kbps_per_channel": 1000},
        {"tags": {"a=b": "c"}},
        {"tags": {"": "c"}},
        {"tags": {"a": "\0"}},
        {"tags": {"a": "x" * 20_000}},
    ):
        with pytest.raises(ValueError, match=r"codec|rate|kbit|key|tag"):
            write_audio(path, noise(0.1), **({"rate_hz": 48000} | arguments))  # type: ignore[arg-type]
    for wrong in (np.zeros(5), np.zeros((0, 5)), [np.zeros((1, 5)), np.zeros((2, 5))]):
        with pytest.raises(ValueError, match="channels"):
            write_audio(path, wrong, 48000, codec="wav")
    assert list(tmp_path.iterdir()) == [tmp_path / PARTIAL_FOLDER] or not list(tmp_path.iterdir())
    assert not list((tmp_path / PARTIAL_FOLDER).glob("*"))


def test_an_error_of_the_source_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    write_audio(path, noise(0.5), 48000)
    before = path.read_bytes()

    def failing() -> Iterator[Samples]:
        yield noise(0.5)
        raise KeyError("the source broke")

    with pytest.raises(KeyError):
        write_audio(path, failing(), 48000)
    assert path.read_bytes() == before
    assert not list((tmp_path / PARTIAL_FOLDER).glob("*"))


def test_a_full_disk_is_a_typed_error(tmp_path: Path) -> None:
    script = (
        "import resource, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from tidzam_platform.audio import write_audio\n"
        "from tidzam_platform.errors import TidzamError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    write_audio(Path(sys.argv[1]), np.zeros((2, 480_000)), 48000, codec='wav')\n"
        "except TidzamError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "a.wav"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert "ffmpeg failed" in done.stdout
    assert not path.exists()


def test_a_writer_killed_at_any_moment_leaves_no_partial_file_visible(tmp_path: Path) -> None:
    script = (
        "import sys, time, numpy as np\n"
        "from pathlib import Path\n"
        "from tidzam_platform.audio import write_audio\n"
        "def blocks():\n"
        "    while True:\n"
        "        yield np.zeros((2, 48000), np.float32)\n"
        "        print('wrote', flush=True)\n"
        "        time.sleep(0.01)\n"
        "write_audio(Path(sys.argv[1]), blocks(), 48000, codec='wav')\n"
    )
    path = tmp_path / "a.wav"
    writer = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    writer.stdout.close()
    writer.wait()
    assert not path.exists()
    sizes: list[int] = []

    def settled() -> bool:
        sizes.append(sum(entry.stat().st_size for entry in (tmp_path / PARTIAL_FOLDER).iterdir()))
        return len(sizes) > 5 and len(set(sizes[-5:])) == 1

    wait_for(settled, "nobody writes to the partial file any more")
    write_audio(path, noise(0.2), 48000, codec="wav")
    assert probe(path).seconds == 0.2
