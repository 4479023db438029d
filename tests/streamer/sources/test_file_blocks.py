"""Files from any place in them: the samples of batch analysis, at the right frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.engine.fetching import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.file_blocks import decoded_file
from streamer.engine.sources.ogg_seek import timeline_from
from tests.audio.made import encode, noise
from tidzam_platform.audio import probe, read_audio
from tidzam_platform.errors import AudioError, FetchError

SECONDS = 12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    samples = noise(SECONDS, channels=3)
    for kind in ("opus", "vorbis", "oggflac", "wav"):
        encode(samples, made / f"noise.{kind}", kind)
    return made


def decoded(path: Path, cancellation: Cancellation, start_frame: int = 0) -> np.ndarray:
    with decoded_file(path, cancellation, start_frame=start_frame, known_s=probe(path).seconds) as file:
        blocks = list(file.blocks)
        assert all(block.shape[1] == file.channels == 3 for block in blocks)
        return np.concatenate(blocks)


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac", "wav"])
def test_from_the_beginning_they_are_the_samples_of_batch_analysis(
    folder: Path, cancellation: Cancellation, kind: str
) -> None:
    path = folder / f"noise.{kind}"
    np.testing.assert_array_equal(decoded(path, cancellation), read_audio(path, rate_hz=ENGINE_RATE_HZ).T)


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac", "wav"])
@pytest.mark.parametrize("start_frame", [1, 48_000, 7 * 48_000 + 11, 11 * 48_000 + 47_999])
def test_from_within_they_are_the_same_ones_at_the_same_frames(
    folder: Path, cancellation: Cancellation, kind: str, start_frame: int
) -> None:
    path = folder / f"noise.{kind}"
    expected = read_audio(path, rate_hz=ENGINE_RATE_HZ).T[start_frame:]
    found = decoded(path, cancellation, start_frame)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac"])
def test_a_jump_does_not_read_what_comes_before(folder: Path, cancellation: Cancellation, kind: str) -> None:
    path = folder / f"noise.{kind}"
    with path.open("rb") as handle:
        found = timeline_from(handle, path.stat().st_size, 9.0, cancellation, known_s=probe(path).seconds)
        assert found is not None
        first, second = found[1].stretches[:2]
        assert first.end_s < 3 < second.start_s < 9, "most of what comes before 9 s is left out"


def test_holes_stay_holes(folder: Path, cancellation: Cancellation, tmp_path: Path) -> None:
    data = bytearray((folder / "noise.opus").read_bytes())
    begin = data.index(b"OggS", len(data) * 3 // 4)
    data[begin + 100 : begin + 110] = bytes(10)
    damaged = tmp_path / "damaged.opus"
    damaged.write_bytes(data)
    assert probe(damaged).holes
    expected = read_audio(damaged, rate_hz=ENGINE_RATE_HZ).T[6 * 48_000 :]
    found = decoded(damaged, cancellation, 6 * 48_000)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_chain_of_streams_is_read_from_its_beginning(
    folder: Path, cancellation: Cancellation, tmp_path: Path
) -> None:
    chained = tmp_path / "chained.opus"
    other = encode(noise(SECONDS, channels=3, seed=7), tmp_path / "other.opus", "opus")
    chained.write_bytes((folder / "noise.opus").read_bytes() + other.read_bytes())
    start_frame = round((SECONDS + 6) * ENGINE_RATE_HZ)
    expected = read_audio(chained, rate_hz=ENGINE_RATE_HZ).T[start_frame:]
    np.testing.assert_allclose(decoded(chained, cancellation, start_frame), expected, atol=1e-3)


def test_beyond_the_end_there_is_nothing(folder: Path, cancellation: Cancellation) -> None:
    with pytest.raises(AudioError):
        decoded(folder / "noise.opus", cancellation, round(SECONDS * ENGINE_RATE_HZ) + 1)


def test_it_can_be_cancelled(folder: Path) -> None:
    with Cancellation() as cancellation:
        cancellation.cancel()
        with pytest.raises(FetchError):
            decoded(folder / "noise.wav", cancellation, 1)
        with pytest.raises(FetchError):
            decoded(folder / "noise.opus", cancellation, 9 * 48_000)
