"""Drift between clocks: the fill of the ring stays within bounds, by resampling alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.drift import MAX_PPM, DriftCorrector, FillController

TARGET = ENGINE_RATE_HZ  # a second


def simulated(
    clock_ppm: float, hours: float, jitter_s: float, seed: int, *, block_s: float = 0.5
) -> np.ndarray:
    """How much waits in the ring, s, while a source's clock is ``clock_ppm`` too fast and its bytes come unevenly."""
    controller = FillController(TARGET)
    late = np.random.default_rng(seed).uniform(-jitter_s, jitter_s, round(hours * 3600 / block_s))
    fill_s = np.empty(len(late))
    filled = float(TARGET)
    for step in range(len(late)):
        given = ENGINE_RATE_HZ * block_s * (1 + clock_ppm * 1e-6)
        filled += given / (1 + controller.ppm * 1e-6) - ENGINE_RATE_HZ * block_s
        ppm = controller.update(round(filled + late[step] * ENGINE_RATE_HZ), block_s)
        assert abs(ppm) <= MAX_PPM
        fill_s[step] = filled / ENGINE_RATE_HZ
    return fill_s


@settings(max_examples=8, deadline=None)
@given(st.floats(-300, 300), st.floats(0, 0.2), st.integers(0, 1000))
def test_over_hours_with_a_clock_off_by_300_ppm_the_fill_stays_near_its_target(
    clock_ppm: float, jitter_s: float, seed: int
) -> None:
    fill_s = simulated(clock_ppm, 3, jitter_s, seed)
    assert fill_s.min() > 0.8
    assert fill_s.max() < 1.2
    assert abs(fill_s[-3600:].mean() - 1.0) < 0.02, "the last half hour: the clock is learnt"


def test_the_correction_ends_up_as_the_difference_of_the_clocks() -> None:
    controller = FillController(TARGET)
    filled = float(TARGET)
    for _ in range(4 * 3600):
        filled += ENGINE_RATE_HZ * (1 + 120e-6) / (1 + controller.ppm * 1e-6) - ENGINE_RATE_HZ
        controller.update(round(filled), 1.0)
    assert abs(controller.clock_ppm - 120) < 1
    controller.settle()
    assert controller.ppm == controller.clock_ppm, "known at once after a restart"


def test_a_ring_that_is_too_full_is_emptied_at_the_bound_and_not_beyond_its_target() -> None:
    controller = FillController(TARGET)
    filled, lowest = 5.0 * TARGET, np.inf
    for _ in range(4 * 3600):
        filled += ENGINE_RATE_HZ / (1 + controller.ppm * 1e-6) - ENGINE_RATE_HZ
        lowest = min(lowest, filled)
        controller.update(round(filled), 1.0)
    assert abs(filled / TARGET - 1) < 0.02
    assert lowest / TARGET > 0.9


def test_the_resampler_does_what_the_controller_says() -> None:
    controller = FillController(TARGET)
    controller.clock_ppm = controller.ppm = 800.0
    corrector = DriftCorrector(2, controller)
    block = np.zeros((4800, 2), np.float32)
    frames = sum(len(corrector.correct(block, TARGET)) for _ in range(600))
    assert corrector.input_frames == 600 * 4800
    assert corrector.output_frames == frames
    assert abs(frames - 600 * 4800 / (1 + 800e-6)) < 300, "but for the resampler's delay"


def test_a_tone_stays_clean_while_the_ratio_changes() -> None:
    controller = FillController(TARGET)
    corrector = DriftCorrector(1, controller)
    time_s = np.arange(4 * ENGINE_RATE_HZ) / ENGINE_RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)[:, None]
    blocks = [
        corrector.correct(tone[begin : begin + 4800], TARGET + 4800 * (number % 7))
        for number, begin in enumerate(range(0, len(tone), 4800))
    ]
    out = np.concatenate(blocks)[:, 0]
    spectrum = np.abs(np.fft.rfft(out[4800:-4800] * np.hanning(len(out) - 9600)))
    peak = spectrum.argmax()
    beside = np.concatenate((spectrum[: peak - 50], spectrum[peak + 50 :]))
    assert 20 * np.log10(beside.max() / spectrum[peak]) < -80
    assert np.abs(np.diff(out[4800:-4800])).max() < 0.066, "no click: a sine of 1 kHz is never steeper"
    assert np.isfinite(out).all()
