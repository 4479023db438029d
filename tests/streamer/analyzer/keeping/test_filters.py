"""The filters of sounds: those that are cut, and those that were kept just now."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.keeping.near_duplicates import PER_CLASS, NearDuplicates
from streamer.analyzer.keeping.object_filter import energy_at_borders, holds_whole_sound
from tests.streamer.analyzer.keeping.made import RATE_HZ


def call(
    begin_s: float, end_s: float, length_s: float = 4, *, hz: float = 3000, noise: float = 0.003
) -> np.ndarray:
    """A tone in faint noise."""
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * hz * time_s) * ((time_s >= begin_s) & (time_s < end_s))
    sound = 0.3 * tone + noise * np.random.default_rng(0).standard_normal(len(tone))
    return (sound * 32767).astype(np.int16)


def test_a_sound_in_the_middle_is_whole_and_one_at_a_border_is_cut() -> None:
    assert holds_whole_sound(call(1.5, 2.5), RATE_HZ)
    assert not holds_whole_sound(call(0, 0.8), RATE_HZ)
    assert not holds_whole_sound(call(3.2, 4), RATE_HZ)
    assert not holds_whole_sound(call(0, 4), RATE_HZ)


def test_the_share_of_the_borders_is_that_of_their_energy() -> None:
    assert energy_at_borders(call(0, 4), RATE_HZ) == pytest.approx(0.5, abs=0.01)
    assert energy_at_borders(call(0, 2), RATE_HZ) == pytest.approx(0.5, abs=0.02)
    assert energy_at_borders(call(1.5, 2.5), RATE_HZ) < 0.01
    one_fifth = call(0, 0.25) + call(1.5, 2.5)
    assert energy_at_borders(one_fifth, RATE_HZ) == pytest.approx(0.2, abs=0.02)


def test_rumble_below_the_band_does_not_count() -> None:
    assert holds_whole_sound(call(1.5, 2.5) // 2 + call(0, 4, hz=80) // 2, RATE_HZ)


@given(st.integers(0, 3000))
def test_silence_and_very_short_clips_hold_no_sound(frames: int) -> None:
    assert energy_at_borders(np.zeros(frames, np.int16), RATE_HZ) == 1.0


def unit(degrees: float, length: float = 1.0) -> np.ndarray:
    turn = np.deg2rad(degrees)
    return (length * np.array([np.cos(turn), np.sin(turn)])).astype(np.float32)


def test_the_nearest_kept_sound_counts_whatever_its_length() -> None:
    near = NearDuplicates()
    assert near.distance("marsh:out_1", "rain", 1, unit(0)) == float("inf")
    near.remember("marsh:out_1", "rain", 1, unit(0, 5))
    near.remember("marsh:out_1", "rain", 1, unit(90))
    assert near.distance("marsh:out_1", "rain", 1, unit(60, 0.1)) == pytest.approx(
        1 - np.cos(np.pi / 6), abs=1e-5
    )
    assert near.distance("marsh:out_1", "rain", 1, unit(0, 3)) == pytest.approx(0, abs=1e-6)


def test_other_channels_classes_and_generations_have_nothing_to_do_with_it() -> None:
    near = NearDuplicates()
    near.remember("marsh:out_1", "rain", 1, unit(0))
    for other in (("marsh:out_2", "rain", 1), ("marsh:out_1", "wind", 1), ("marsh:out_1", "rain", 2)):
        assert near.distance(*other, unit(0)) == float("inf")


def test_memory_is_bounded_and_the_oldest_are_forgotten() -> None:
    near = NearDuplicates(max_bytes=10_000)
    for number in range(PER_CLASS + 1):
        near.remember("marsh:out_1", "rain", 1, unit(2 * number))
    assert near.distance("marsh:out_1", "rain", 1, unit(0)) > 1e-4  # the first one is gone
    for number in range(5000):
        near.remember(f"marsh:out_{number}", "rain", 1, unit(0))
        assert near.memory_bytes <= 10_000
    assert near.distance("marsh:out_4999", "rain", 1, unit(0)) == pytest.approx(0, abs=1e-6)
    assert near.distance("marsh:out_1", "rain", 1, unit(0)) == float("inf")


def test_an_embedding_of_zeros_is_near_to_nothing() -> None:
    near = NearDuplicates()
    near.remember("marsh:out_1", "rain", 1, np.zeros(2, np.float32))
    assert near.distance("marsh:out_1", "rain", 1, np.zeros(2, np.float32)) == 1.0


def test_embeddings_of_another_length_have_nothing_to_do_with_each_other() -> None:
    """Another model server numbers its generations anew."""
    near = NearDuplicates()
    near.remember("marsh:out_1", "rain", 1, unit(0))
    longer = np.array([1, 0, 0], np.float32)
    assert near.distance("marsh:out_1", "rain", 1, longer) == float("inf")
    near.remember("marsh:out_1", "rain", 1, longer)
    assert near.distance("marsh:out_1", "rain", 1, longer) == pytest.approx(0, abs=1e-6)
    assert near.distance("marsh:out_1", "rain", 1, unit(0)) == pytest.approx(0, abs=1e-6)
