"""A gain that never clicks, whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.engine.mixer.gain import KNEE, MAX_INPUT, GainStage, cleaned, linear, soft_clip

RATE_HZ = 48_000
RAMP_S = 0.02
RAMP_FRAMES = 960

# What microphones, decoders and broken drivers give: silence, DC, full scale and beyond, and no numbers at all.
_samples = st.one_of(
    st.floats(-1.5, 1.5, width=32),
    st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40]),
)
_blocks = st.lists(
    arrays.arrays(np.float32, st.integers(0, 400), elements=_samples, fill=_samples), min_size=1, max_size=6
)
_factors = st.sampled_from([0.0, linear(-60), 0.1, 1.0, 4.0, linear(24)])


@given(blocks=_blocks, factors=st.lists(_factors, min_size=7, max_size=7), ramp_frames=st.integers(2, 1000))
def test_whatever_comes_in_what_goes_out_is_finite_within_full_scale_and_moves_no_faster_than_the_ramp(
    blocks: list[np.ndarray], factors: list[float], ramp_frames: int
) -> None:
    factor = [factors[0]]
    stage = GainStage(lambda: factor[0], rate_hz=RATE_HZ, ramp_s=ramp_frames / RATE_HZ)
    heard, sent = [], []
    for block, factor[0] in zip(blocks, factors[1:], strict=False):
        out = stage.process(block)
        assert out.dtype == np.float32
        assert out.shape == block.shape
        heard.append(out)
        sent.append(cleaned(block))
    y, x = (np.concatenate(parts).astype(np.float64) for parts in (heard, sent))
    assert np.isfinite(y).all()
    assert (np.abs(y) <= 1.0).all()
    # A limiter that is nowhere steeper than 1 after a gain g: |dy| <= g |dx| + |x| |dg|.
    most = max(factors)
    slew = np.pi / 2 * most / ramp_frames
    bound = most * np.abs(np.diff(x)) + np.maximum(np.abs(x[1:]), np.abs(x[:-1])) * slew
    assert (np.abs(np.diff(y)) <= bound * (1 + 1e-5) + 1e-5).all()


@given(
    factors=st.lists(st.tuples(_factors, st.integers(1, 700)), min_size=2, max_size=10),
)
def test_the_gain_has_no_step_even_when_it_changes_in_the_middle_of_a_change(
    factors: list[tuple[float, int]],
) -> None:
    factor = [factors[0][0]]
    stage = GainStage(lambda: factor[0], rate_hz=RATE_HZ, ramp_s=RAMP_S)
    level = np.float32(0.01)  # far from the limiter: what comes out is the gain
    parts = []
    for factor[0], frames in factors:
        parts.append(stage.process(np.full(frames, level)) / level)
        assert parts[-1][-1] == pytest.approx(stage.gain, rel=1e-5, abs=1e-6)
    steps = np.abs(np.diff(np.concatenate(parts)))
    most = max(value for value, _ in factors)
    assert (steps <= np.pi / 2 * most / RAMP_FRAMES * (1 + 1e-4) + 1e-6).all()


def test_a_change_is_done_after_the_ramp_and_the_first_block_begins_where_it_shall_be() -> None:
    factor = [0.0]
    stage = GainStage(lambda: factor[0], rate_hz=RATE_HZ, ramp_s=RAMP_S)
    assert not stage.process(np.ones(100, np.float32)).any()  # muted before anybody listened: not one sample
    factor[0] = 0.5
    out = stage.process(np.ones(2 * RAMP_FRAMES, np.float32))
    assert 0 < out[0] < 0.001
    assert (np.diff(out) >= 0).all()
    assert (out[RAMP_FRAMES - 1 :] == 0.5).all()
    factor[0] = 0.0
    out = stage.process(np.ones(2 * RAMP_FRAMES, np.float32))
    assert not out[RAMP_FRAMES - 1 :].any()


def test_at_0_db_a_signal_below_the_knee_passes_bit_for_bit() -> None:
    signal = np.random.default_rng(1).uniform(-KNEE, KNEE, 5000).astype(np.float32)
    stage = GainStage(lambda: 1.0, rate_hz=RATE_HZ, ramp_s=RAMP_S)
    assert (stage.process(signal) == signal).all()


def test_the_callers_block_is_not_changed() -> None:
    block = np.array([np.nan, 2.0, -2.0, 0.5], np.float32)
    before = block.copy()
    GainStage(lambda: 2.0, rate_hz=RATE_HZ, ramp_s=RAMP_S).process(block)
    np.testing.assert_array_equal(block, before)


def test_a_source_that_goes_over_full_scale_comes_back_whole_when_it_is_turned_down() -> None:
    loud = (3 * np.sin(np.arange(4800) / 20)).astype(np.float32)
    stage = GainStage(lambda: 0.25, rate_hz=RATE_HZ, ramp_s=RAMP_S)
    np.testing.assert_allclose(stage.process(loud), loud / 4, atol=1e-6)


def test_the_limiter_is_odd_monotonic_and_never_steeper_than_1() -> None:
    x = np.linspace(-MAX_INPUT, MAX_INPUT, 100_001, dtype=np.float32)
    y = soft_clip(x.copy()).astype(np.float64)
    assert (np.abs(y) <= 1).all()
    slopes = np.diff(y) / np.diff(x.astype(np.float64))
    assert slopes.min() >= -1e-6
    assert slopes.max() <= 1 + 1e-3
    np.testing.assert_allclose(y, -y[::-1], atol=1e-6)


@pytest.mark.parametrize(("gain_db", "factor"), [(0, 1.0), (20, 10.0), (-20, 0.1), (6.0206, 2.0)])
def test_decibels_are_of_amplitude(gain_db: float, factor: float) -> None:
    assert linear(gain_db) == pytest.approx(factor, rel=1e-4)
