"""Another rate than the engine's: as if all had been resampled at once, on the grid of the anchor."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.hearing.resampling import ToModelRate, engine_frames, frames_at

RATE_HZ = 48_000


def noise(frames: int, channels: int = 2) -> np.ndarray:
    return (0.2 * np.random.default_rng(1).standard_normal((channels, frames))).astype(np.float32)


def resampled(rate: ToModelRate, audio: np.ndarray, sizes: list[int]) -> tuple[int, np.ndarray]:
    begin, at, parts = rate.next_frame, 0, []
    for size in [*sizes, audio.shape[1]]:
        frame, samples = rate.feed(audio[:, at : at + size])
        assert frame == begin + sum(part.shape[1] for part in parts)
        parts.append(samples)
        at += size
    parts.append(rate.flush().samples)
    return begin, np.concatenate(parts, axis=1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 5000), max_size=12),
    st.sampled_from([16_000, 22_050, 24_000, 32_000, 44_100, 47_999, 96_000]),
)
def test_blocks_make_no_difference(sizes: list[int], rate_hz: int) -> None:
    audio = noise(24_000)
    begin, heard = resampled(ToModelRate(2, rate_hz, 0), audio, sizes)
    assert begin == 0
    at_once = soxr.resample(audio.T, RATE_HZ, rate_hz).T
    assert heard.shape == at_once.shape
    np.testing.assert_allclose(heard, np.clip(at_once, -1, 1), atol=1e-5)


def test_at_the_engines_rate_samples_are_untouched() -> None:
    audio = noise(10_000)
    begin, heard = resampled(ToModelRate(2, RATE_HZ, 1234), audio, [77, 1000])
    assert begin == 1234
    np.testing.assert_array_equal(heard, audio)


@given(st.integers(0, 200_000), st.sampled_from([16_000, 22_050, 32_000, 44_100]))
def test_wherever_it_begins_frames_lie_on_the_grid_of_the_anchor(frame: int, rate_hz: int) -> None:
    rate = ToModelRate(1, rate_hz, frame)
    begins_s = (frame + rate._skip) / RATE_HZ
    assert rate.next_frame / rate_hz == pytest.approx(begins_s, abs=1e-9)
    assert 0 <= begins_s - frame / RATE_HZ < 0.01


def test_a_tone_has_the_right_phase_wherever_it_begins() -> None:
    rate_hz, hz = 22_050, 500
    times = np.arange(40_000) / RATE_HZ
    audio = 0.5 * np.sin(2 * np.pi * hz * times).astype(np.float32)[None]
    begin, heard = resampled(ToModelRate(1, rate_hz, 1001), audio[:, 1001:], [500] * 20)
    expected = 0.5 * np.sin(2 * np.pi * hz * (begin + np.arange(heard.shape[1])) / rate_hz)
    np.testing.assert_allclose(heard[0, 1000:-1000], expected[1000:-1000], atol=1e-3)


def test_channels_that_go_leave_the_others_as_they_were() -> None:
    audio = noise(20_000, 3)
    _, alone = resampled(ToModelRate(1, 32_000, 0), audio[1:2], [10_000])
    rate = ToModelRate(3, 32_000, 0)
    before = rate.feed(audio[:, :10_000]).samples[1:2]
    rate.keep_rows([1])
    after = rate.feed(audio[1:2, 10_000:]).samples
    heard = np.concatenate((before, after, rate.flush().samples), axis=1)
    np.testing.assert_array_equal(heard, alone)


def test_what_overshoots_is_clipped() -> None:
    audio = np.sign(np.sin(np.arange(20_000) / 7)).astype(np.float32)[None]
    _, heard = resampled(ToModelRate(1, 44_100, 0), audio, [])
    assert np.abs(heard).max() == 1


@given(st.integers(0, 10**12), st.integers(4000, 192_000))
def test_frames_of_one_rate_and_the_other(frame: int, rate_hz: int) -> None:
    assert frames_at(engine_frames(frame, rate_hz), rate_hz) >= frame
    assert frames_at(engine_frames(frame, rate_hz) - 1, rate_hz) < frame or frame == 0
