"""Decoding: frame k is time k / rate, whatever happened to the file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.audio.conftest import SECONDS, OggFile
from tests.audio.made import ENCODERS, FEW_EXAMPLES, Samples, encode, match, noise, plain_decode, tones
from tests.audio.ogg_bytes import changed, flags, granule, repaginated, split_pages
from tidzam_platform.audio import decode_blocks, decoding, probe, read_audio
from tidzam_platform.errors import AudioError, DecodingError, EmptyAudioError

KINDS = ("opus", "vorbis", "oggflac")
# After a loss a decoder needs this long until it gives what an undisturbed one gives (RFC 7845 section 4.6: 80 ms).
CONVERGENCE_FRAMES = 48 * 80


def decode(path: Path, *, rate_hz: int | None = None, block_s: float = 1.0) -> Samples:
    """All blocks joined, after checking that they follow each other."""
    blocks = list(decode_blocks(path, rate_hz=rate_hz, block_s=block_s))
    reached = 0
    for block in blocks:
        assert block.start_frame == reached
        assert block.samples.dtype == np.float32
        assert block.samples.flags.c_contiguous
        reached += block.samples.shape[1]
    assert len({block.samples.shape[1] for block in blocks[:-1]}) <= 1
    return np.concatenate([block.samples for block in blocks], axis=1)


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_ogg_file_decodes_as_ffmpeg_decodes_it(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    samples = decode(file.path)
    assert samples.shape == (1, round(SECONDS * 48000))
    np.testing.assert_allclose(samples, np.clip(file.decoded, -1, 1)[:, : samples.shape[1]], atol=1e-6)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_every_container_decodes_to_what_was_encoded(tmp_path: Path, kind: str) -> None:
    original = noise(2.0, channels=2)
    path = encode(original, tmp_path / "made.bin", kind)
    samples = decode(path)
    # Encoders with lapped windows add padding at the ends that not every container knows of.
    padding = {"mp3": 2500, "adts": 2500, "mp4": 2500}.get(kind, 1)
    assert samples.shape[0] == 2
    assert 0 <= samples.shape[1] - 96000 <= padding
    for channel in range(2):
        found = match(samples[channel, :96000], original[channel])
        assert 0 <= found.lag <= padding
        assert found.correlation > 0.9
    info = probe(path)
    assert info.seconds == samples.shape[1] / 48000
    np.testing.assert_array_equal(
        np.concatenate([b.samples for b in decode_blocks(path, info=info)], axis=1), samples
    )
    np.testing.assert_array_equal(read_audio(path), samples)


@pytest.mark.parametrize("kind", KINDS)
@given(removed=st.sets(st.integers(0, 17), min_size=1, max_size=5))
@example(removed={0, 1})
@example(removed={9})
@FEW_EXAMPLES
def test_what_remains_of_a_damaged_file_is_heard_at_its_own_time(
    ogg_files: dict[str, OggFile], kind: str, removed: set[int], tmp_path: Path
) -> None:
    file = ogg_files[kind]
    kept = [page for index, page in enumerate(file.audio) if index not in removed]
    samples = decode(write(tmp_path / "damaged", *file.headers, *kept))[0]
    assert len(samples) == round(SECONDS * 48000)
    reference = file.decoded[0]
    edges = [-1, *sorted(removed), len(file.audio) - 1]
    for before, after in pairwise(edges):
        if after - before < 3:
            continue
        start = (file.interval(before)[1] if before >= 0 else 0) + file.slack + CONVERGENCE_FRAMES
        end = file.interval(after)[0]
        found = match(samples[start:end], reference[start:end])
        assert found.lag == 0
        assert found.correlation > 0.98
    for index in removed:
        start, end = file.interval(index)
        assert not samples[start:end].any()


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_hole_the_first_sound_is_where_the_hole_ends(
    ogg_files: dict[str, OggFile], kind: str, tmp_path: Path
) -> None:
    file = ogg_files[kind]
    path = write(tmp_path / "damaged", *file.headers, *file.audio[:5], *file.audio[8:])
    ((start_s, end_s),) = probe(path).holes
    heard = np.flatnonzero(decode(path)[0])
    before = heard[heard < start_s * 48000]
    after = heard[heard >= start_s * 48000]
    assert round(start_s * 48000) - before[-1] < 200
    assert 0 <= after[0] - round(end_s * 48000) < 200


@pytest.mark.parametrize(("segments", "lost"), [(7, {40}), (7, {20, 41, 60}), (2, {100}), (1, {50, 51})])
def test_packets_that_go_on_over_pages_are_lost_whole_and_alone(
    tmp_path: Path, segments: int, lost: set[int]
) -> None:
    whole = encode(noise(2.0, seed=8), tmp_path / "whole", "opus", options=("-b:a", "256k"))
    first, tags, *audio = split_pages(whole.read_bytes())
    pages = repaginated(audio, ticks=960, segments=segments, first_sequence=2)
    kept = [page for index, page in enumerate(pages) if index not in lost]
    assert any(flags(page) & 1 for page in kept)
    reference = plain_decode(whole)[0]
    np.testing.assert_allclose(
        decode(write(tmp_path / "over", first, tags, *pages))[0], reference[:96000], atol=1e-6
    )

    damaged = write(tmp_path / "damaged", first, tags, *kept)
    info = probe(damaged)
    assert info.seconds == 2.0
    assert 1 <= len(info.holes) <= len(lost)
    # A page of so many segments holds parts of a few packets of 20 ms.
    assert sum(end_s - start_s for start_s, end_s in info.holes) <= 0.02 * (segments // 2 + 2) * len(lost)
    samples = decode(damaged)[0]
    assert len(samples) == 96000
    edges = [0.0, *(edge for hole in info.holes for edge in hole), 2.0]
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        start, end = round(start_s * 48000) + 2 * CONVERGENCE_FRAMES, round(end_s * 48000)
        if end - start > 4800:
            found = match(samples[start:end], reference[start:end])
            assert found.lag == 0
            assert found.correlation > 0.99


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 96000])
def test_a_damaged_file_is_resampled_on_the_same_time_axis(
    ogg_files: dict[str, OggFile], kind: str, rate_hz: int, tmp_path: Path
) -> None:
    file = ogg_files[kind]
    path = write(tmp_path / "damaged", *file.headers, *file.audio[:7], *file.audio[9:])
    samples = decode(path, rate_hz=rate_hz)[0]
    assert len(samples) == round(SECONDS * rate_hz)
    reference = plain_decode(file.path, rate_hz=rate_hz)[0]
    start, end = round(2.2 * rate_hz), round(3.8 * rate_hz)
    found = match(samples[start:end], reference[start:end])
    # A run begins at the nearest frame of the new rate: half a frame, of noise up to the band's edge at 8 kHz.
    assert abs(found.lag) <= 1
    assert found.correlation > 0.8


@given(block_s=st.floats(0.001, 10, allow_nan=False), rate_hz=st.sampled_from([None, 16000, 11025]))
@FEW_EXAMPLES
def test_the_length_of_blocks_changes_nothing(
    ogg_files: dict[str, OggFile], block_s: float, rate_hz: int | None, tmp_path: Path
) -> None:
    file = ogg_files["opus"]
    path = write(tmp_path / "damaged", *file.headers, *file.audio[:5], *file.audio[6:])
    np.testing.assert_array_equal(
        decode(path, rate_hz=rate_hz, block_s=block_s), decode(path, rate_hz=rate_hz)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_decodes_link_after_link(ogg_files: dict[str, OggFile], kind: str, tmp_path: Path) -> None:
    file = ogg_files[kind]
    one = file.path.read_bytes()
    two = b"".join(changed(page, serial=99) for page in split_pages(one))
    samples = decode(write(tmp_path / "chain", one, two))
    once = decode(file.path)
    np.testing.assert_array_equal(samples, np.concatenate([once, once], axis=1))


def test_a_chain_of_different_rates_gets_the_rate_of_its_first_link(
    ogg_files: dict[str, OggFile], tmp_path: Path
) -> None:
    slow = encode(noise(2.0, rate_hz=16000, seed=3), tmp_path / "slow", "vorbis", rate_hz=16000)
    samples = decode(write(tmp_path / "chain", slow.read_bytes(), ogg_files["opus"].path.read_bytes()))[0]
    assert len(samples) == round((2.0 + SECONDS) * 16000)
    found = match(samples[32000:], plain_decode(ogg_files["opus"].path, rate_hz=16000)[0])
    assert found.lag == 0
    assert found.correlation > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_a_live_capture_decodes_from_its_first_sample(
    ogg_files: dict[str, OggFile], kind: str, tmp_path: Path
) -> None:
    file = ogg_files[kind]
    live = [
        changed(page, granule=granule(page) + 10**9, sequence=10**6 + number)
        for number, page in enumerate(file.audio)
    ]
    samples = decode(write(tmp_path / "live", *file.headers, *live))[0]
    found = match(samples, file.decoded[0][-len(samples) :])
    assert found.lag == 0
    assert found.correlation > 0.99


def test_a_cut_file_gives_its_prefix(ogg_files: dict[str, OggFile], tmp_path: Path) -> None:
    file = ogg_files["opus"]
    path = write(tmp_path / "cut", file.path.read_bytes()[: len(file.path.read_bytes()) // 2])
    info = probe(path)
    samples = decode(path)
    assert info.truncated
    assert samples.shape[1] == round(info.seconds * 48000)
    np.testing.assert_allclose(samples, decode(file.path)[:, : samples.shape[1]], atol=1e-6)


def test_each_of_30_channels_carries_its_own_tone(tmp_path: Path) -> None:
    hz = [300.0 + 100 * channel for channel in range(30)]
    path = encode(tones(hz, 2.0), tmp_path / "many.opus", "opus", options=("-b:a", "1920k"))
    samples = decode(path, rate_hz=16000)
    assert samples.shape == (30, 32000)
    assert strongest_hz(samples[:, 8000:24000], 16000) == hz


def strongest_hz(samples: Samples, rate_hz: int) -> list[float]:
    """The strongest frequency of each channel."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.shape[1])))
    return [float(hz) for hz in np.fft.rfftfreq(samples.shape[1], 1 / rate_hz)[spectrum.argmax(axis=1)]]


@pytest.mark.parametrize("kind", ["opus", "wav", "flac", "oggflac"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 8])
def test_channels_keep_their_order(tmp_path: Path, kind: str, channels: int) -> None:
    hz = [400.0 + 200 * channel for channel in range(channels)]
    samples = decode(encode(tones(hz, 1.0), tmp_path / "made", kind))
    assert strongest_hz(samples[:, 12000:36000], 48000) == hz


def test_what_is_no_number_becomes_silence_and_what_is_beyond_is_clipped(tmp_path: Path) -> None:
    original = noise(1.0)
    original[0, 100:200] = np.nan
    original[0, 300:310] = np.inf
    original[0, 400:410] = 7.0
    original[0, 500:510] = -7.0
    path = encode(original, tmp_path / "float.wav", "wav", options=("-c:a", "pcm_f32le"))
    samples = decode(path, block_s=0.3)[0]
    assert not samples[100:200].any()
    assert not samples[300:310].any()
    assert (samples[400:410] == 1).all()
    assert (samples[500:510] == -1).all()
    assert np.isfinite(decode(path, rate_hz=16000)).all()


def test_a_flac_file_with_damaged_frames_keeps_its_time(tmp_path: Path) -> None:
    original = noise(4.0)
    data = bytearray(encode(original, tmp_path / "whole.flac", "flac").read_bytes())
    for place in (len(data) // 3, 2 * len(data) // 3):
        data[place : place + 40] = bytes(40)
    path = write(tmp_path / "damaged.flac", data)
    info = probe(path)
    assert info.seconds == 4.0
    assert not info.truncated
    assert len(info.holes) == 2
    assert all(0 < end_s - start_s < 0.1 for start_s, end_s in info.holes)
    samples = decode(path)[0]
    assert len(samples) == 192000
    intact = np.ones(len(samples), bool)
    for start_s, end_s in info.holes:
        intact[round(start_s * 48000) : round(end_s * 48000)] = False
        assert not samples[round(start_s * 48000) : round(end_s * 48000)].any()
    np.testing.assert_allclose(samples[intact], original[0][intact], atol=1e-6)


@pytest.mark.parametrize("place", [0.2, 0.45, 0.7, 0.95])
@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_in_flac_is_never_heard(tmp_path: Path, place: float, bit: int) -> None:
    original = noise(2.0)
    data = bytearray(encode(original, tmp_path / "whole.flac", "flac").read_bytes())
    data[round(place * len(data))] ^= 1 << bit
    path = write(tmp_path / "damaged.flac", data)
    samples = decode(path)[0]
    intact = np.ones(len(samples), bool)
    for start_s, end_s in probe(path).holes:
        intact[round(start_s * 48000) : round(end_s * 48000)] = False
    assert intact.mean() > 0.9
    np.testing.assert_allclose(samples[intact], original[0][: len(samples)][intact], atol=1e-6)


def test_a_file_longer_than_asked_for_is_not_read_into_memory(
    ogg_files: dict[str, OggFile], tmp_path: Path
) -> None:
    wav = encode(noise(2.0), tmp_path / "long.wav", "wav")
    for path in (ogg_files["opus"].path, wav):
        with pytest.raises(AudioError, match=r"longer than 1\.5 s"):
            read_audio(path, max_s=1.5)
    assert read_audio(wav, max_s=2.0).shape == (1, 96000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_probed_file_is_not_looked_through_again(
    ogg_files: dict[str, OggFile], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = split_pages(ogg_files[kind].path.read_bytes())
    path = write(tmp_path / "holed.ogg", *pages[:4], *pages[5:])
    expected = decode(path)
    info = probe(path)
    monkeypatch.setattr(decoding, "read_timeline", None)
    samples = np.concatenate([block.samples for block in decode_blocks(path, info=info)], axis=1)
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize(
    ("rate_hz", "block_s"), [(0, 1.0), (-1, 1.0), (10**7, 1.0), (None, 0.0), (None, -1.0)]
)
def test_rates_and_blocks_that_make_no_sense_are_refused(
    ogg_files: dict[str, OggFile], rate_hz: int | None, block_s: float
) -> None:
    with pytest.raises(ValueError, match=r"rate|blocks"):
        next(decode_blocks(ogg_files["opus"].path, rate_hz=rate_hz, block_s=block_s))


def test_a_file_that_holds_less_than_it_was_said_to_is_an_error_and_not_silence(tmp_path: Path) -> None:
    path = encode(noise(3.0), tmp_path / "a.wav", "wav")
    info = probe(path)
    encode(noise(1.0), path, "wav")
    with pytest.raises(DecodingError, match="less could be decoded"):
        list(decode_blocks(path, info=info))


@pytest.mark.parametrize("damage", [lambda data: data[:44], lambda data: data[:20]])
def test_a_wav_header_without_audio_is_empty(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = encode(noise(0.1), tmp_path / "a.wav", "wav", options=("-bitexact",)).read_bytes()
    path = write(tmp_path / "header.wav", damage(whole))
    with pytest.raises(EmptyAudioError):
        probe(path)
