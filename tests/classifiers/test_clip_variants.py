"""Copies of clips are stretched and shifted as asked, the same everywhere, made once, and not kept for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tidzam_platform.classifiers.clip_variants import ClipVariants
from tidzam_platform.classifiers.features import ClipFeatures, clip_features
from tidzam_platform.classifiers.front_end import FrontEnd, band_centres_hz
from tidzam_platform.settings import AugmentationSettings

FRONT_END = FrontEnd(
    rate_hz=8_000, fft_frames=512, stft_window_frames=200, stft_hop_frames=80, bands=32, high_hz=4_000
)
TONE_HZ = 1_000.0
SECONDS = 3.0


def tone() -> np.ndarray:
    time_s = np.arange(round(SECONDS * FRONT_END.rate_hz)) / FRONT_END.rate_hz
    return (0.5 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.float32)


def clip() -> ClipFeatures:
    return ClipFeatures("ab" * 32, *clip_features(tone(), FRONT_END), ("bird",), "group", "train")


def variants(folder: Path, **settings: float) -> list[ClipFeatures]:
    how = AugmentationSettings.model_validate(
        {"variants": 4, "time_stretch": 0, "pitch_semitones": 0, **settings}
    )
    return ClipVariants.below(folder, FRONT_END, how).of(clip(), tone())


def loudest_hz(features: ClipFeatures) -> float:
    return float(band_centres_hz(FRONT_END)[features.log_mel.mean(axis=0).argmax()])


def test_stretching_changes_the_length_and_not_the_pitch(tmp_path: Path) -> None:
    copies = variants(tmp_path, time_stretch=0.5)
    lengths = {len(copy.log_mel) for copy in copies}
    assert len(lengths) == 4
    whole = len(clip().log_mel)
    assert all(whole / 1.55 < length < whole * 1.55 for length in lengths)
    assert {loudest_hz(copy) for copy in copies} == {loudest_hz(clip())}
    assert all((copy.class_paths, copy.group, copy.side) == (("bird",), "group", "train") for copy in copies)
    assert all(copy.offsets[-1] + FRONT_END.patch_frames <= len(copy.log_mel) for copy in copies)


def test_shifting_changes_the_pitch_within_its_range_and_not_the_length(tmp_path: Path) -> None:
    copies = variants(tmp_path, pitch_semitones=7)
    assert {len(copy.log_mel) for copy in copies} == {len(clip().log_mel)}
    heard = {loudest_hz(copy) for copy in copies}
    assert len(heard) > 1
    assert all(TONE_HZ * 2 ** (-8 / 12) < hz < TONE_HZ * 2 ** (8 / 12) for hz in heard)


def test_copies_are_made_once_and_are_the_same_in_another_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = variants(tmp_path / "one", time_stretch=0.2, pitch_semitones=1)
    elsewhere = variants(tmp_path / "two", time_stretch=0.2, pitch_semitones=1)
    monkeypatch.setattr(ClipVariants, "_varied", None)  # whoever calls it now fails
    read = variants(tmp_path / "one", time_stretch=0.2, pitch_semitones=1)
    for first, second, third in zip(made, elsewhere, read, strict=True):
        np.testing.assert_array_equal(first.log_mel, second.log_mel)
        np.testing.assert_array_equal(first.log_mel, third.log_mel)
        assert first.offsets == third.offsets


def test_only_the_newest_kinds_are_kept_and_without_variants_nothing_is_written(tmp_path: Path) -> None:
    for step in range(5):
        ClipVariants.below(tmp_path, FRONT_END, AugmentationSettings(variants=1, pitch_semitones=step))
    assert len(list(tmp_path.iterdir())) == 3
    none = ClipVariants.below(tmp_path / "none", FRONT_END, AugmentationSettings(variants=0))
    assert none.of(clip(), tone()) == []
    assert not (tmp_path / "none").exists()
