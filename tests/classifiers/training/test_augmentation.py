"""Augmentation does to powers what air and microphones do, and nothing where it is turned off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.classifiers.training.conftest import TINY
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.classifiers.front_end import band_centres_hz
from tidzam_platform.classifiers.training.augmentation import Augmentation, Variations, draw_variations
from tidzam_platform.classifiers.training.sampler import Draws
from tidzam_platform.settings import AugmentationSettings

COUNT = 8
NOTHING = AugmentationSettings(
    gain_db=0, equaliser_db=0, mixup=0, masked_frames=0, masked_bands=0, background_snr_db=(10, 10)
)


def draws(count: int, tilt_db: float = 0.0) -> Draws:
    none = np.zeros(count, np.int64)
    zero, one = np.zeros(count, np.float32), np.ones(count, np.float32)
    return Draws(none, none, one, none, zero + np.float32(tilt_db), zero)


def patches(seed: int = 0, level: float = -8.0) -> np.ndarray:
    return (
        np.random.default_rng(seed)
        .normal(level, 1, (COUNT, TINY.patch_frames, TINY.bands))
        .astype(np.float32)
    )


def drawn(settings: AugmentationSettings, tilt_db: float = 0.0) -> Variations:
    return draw_variations(np.random.default_rng(1), draws(COUNT, tilt_db), TINY, settings)


def augmented(
    variations: Variations, sounds: np.ndarray, *background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    load_tensorflow()
    targets = np.eye(COUNT, dtype=np.float32)
    out: Any = Augmentation(TINY)(sounds, targets, variations.part(slice(0, COUNT)), *background)
    return out[0].numpy(), out[1].numpy()


def level_db(log_power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.exp(log_power.astype(np.float64)).mean(axis=(1, 2)))


def test_with_everything_off_a_patch_stays_as_it_is() -> None:
    varied, targets = augmented(drawn(NOTHING), patches())
    np.testing.assert_allclose(varied, patches(), atol=1e-4)
    np.testing.assert_array_equal(targets, np.eye(COUNT))


@pytest.mark.parametrize("tilt_db", [0.0, -6.0])
def test_background_is_mixed_under_at_the_level_and_slope_that_were_drawn_and_only_where_asked(
    tilt_db: float,
) -> None:
    sounds, under = patches(), np.zeros((COUNT, TINY.patch_frames, TINY.bands), np.float32)
    mixed = np.arange(COUNT) % 2 == 0
    varied, _ = augmented(drawn(NOTHING, tilt_db), sounds, under[mixed], np.flatnonzero(mixed))
    np.testing.assert_allclose(varied[~mixed], sounds[~mixed], atol=1e-4)
    added = np.log(np.exp(varied[mixed].astype(np.float64)) - np.exp(sounds[mixed].astype(np.float64)))
    np.testing.assert_allclose(level_db(sounds[mixed]) - level_db(added), 10, atol=0.1)
    octaves = np.log2(band_centres_hz(TINY))
    slope = np.polyfit(octaves, added.mean(axis=(0, 1)) * 10 / np.log(10), 1)[0]
    assert slope == pytest.approx(tilt_db, abs=0.1)


def test_mixup_adds_powers_and_shares_targets_alike() -> None:
    sounds = patches()
    variations = drawn(NOTHING.model_copy(update={"mixup": 0.5}))
    varied, targets = augmented(variations, sounds)
    share = variations.share[:, np.newaxis, np.newaxis]
    expected = share * np.exp(sounds) + (1 - share) * np.exp(sounds[::-1])
    np.testing.assert_allclose(np.exp(varied), expected, rtol=1e-3)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.diag(targets), variations.share, atol=1e-6)
    assert 0 < variations.share.min() < variations.share.max() < 1


def test_gain_and_equaliser_shift_bands_alike_in_all_frames_and_as_widely_as_asked() -> None:
    count = 4000
    settings = NOTHING.model_copy(update={"gain_db": 6.0, "equaliser_db": 3.0})
    curve = draw_variations(np.random.default_rng(1), draws(count), TINY, settings).curve
    deviation_db = curve.std(axis=0) * 10 / np.log(10)
    np.testing.assert_allclose(deviation_db, np.hypot(6, 3), rtol=0.05)
    sounds = patches()
    shift = augmented(drawn(settings), sounds)[0] - sounds
    np.testing.assert_allclose(shift.std(axis=1), 0, atol=1e-3)
    assert shift.std() > 0.3


def test_masks_are_stripes_of_the_mean_no_wider_than_asked() -> None:
    sounds = patches()
    variations = drawn(NOTHING.model_copy(update={"masked_frames": 5, "masked_bands": 3}))
    varied, _ = augmented(variations, sounds)
    changed = ~np.isclose(varied, sounds, atol=1e-3)
    frames, bands = changed.all(axis=2).sum(axis=1), changed.all(axis=1).sum(axis=1)
    assert frames.max() <= 5
    assert bands.max() <= 3
    assert frames.max() + bands.max() > 0
    for patch, sound, marks in zip(varied, sounds, changed, strict=True):
        np.testing.assert_allclose(patch[marks], sound.mean(), atol=1e-3)


def test_a_shift_of_pitch_moves_a_tone_by_as_many_semitones() -> None:
    load_tensorflow()
    centres = band_centres_hz(TINY)
    sounds = np.full((COUNT, TINY.patch_frames, TINY.bands), -8.0, np.float32)
    sounds[:, :, 8] = 0.0
    variations = drawn(NOTHING)
    varied, _ = Augmentation(TINY, 4.0)(
        sounds, np.eye(COUNT, dtype=np.float32), variations.part(slice(0, COUNT))
    )
    for patch, pitch in zip(varied.numpy(), variations.pitch, strict=True):
        moved_hz = centres[8] * 2 ** (4.0 * (pitch - 8) / 8 / 12)
        loud = np.exp(patch[0].astype(np.float64) / 2) - np.exp(-4)
        band = (loud * np.arange(TINY.bands)).sum() / loud.sum()
        assert band == pytest.approx(np.interp(moved_hz, centres, np.arange(TINY.bands)), abs=0.5)
