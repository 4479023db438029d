"""The front end: equal to librosa, and a window's features are a slice of the signal's."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.features import clip_features
from tidzam_platform.classifiers.front_end import FrontEnd, level_dbfs, log_mel, standardise


def noise(seconds: float, rate_hz: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(round(seconds * rate_hz)).astype(np.float32) * 0.1


@pytest.mark.parametrize(
    "front_end",
    [
        FrontEnd(),
        FrontEnd(rate_hz=16_000, fft_frames=512, stft_window_frames=400, stft_hop_frames=160, high_hz=7_500),
    ],
)
def test_log_mel_equals_librosa(front_end: FrontEnd) -> None:
    import librosa

    audio = noise(1.0, front_end.rate_hz)
    expected = librosa.feature.melspectrogram(
        y=audio,
        sr=front_end.rate_hz,
        n_fft=front_end.fft_frames,
        win_length=front_end.stft_window_frames,
        hop_length=front_end.stft_hop_frames,
        n_mels=front_end.bands,
        fmin=front_end.low_hz,
        fmax=front_end.high_hz,
        center=False,
    )
    ours = np.asarray(log_mel(audio[np.newaxis], front_end))[0]
    assert ours.shape == (front_end.patch_frames, front_end.bands)
    np.testing.assert_allclose(ours, np.log(expected.T + front_end.floor), atol=1e-3)


def test_a_window_on_the_grid_is_a_slice_of_the_whole_signal() -> None:
    front_end = FrontEnd()
    audio = noise(3.0, front_end.rate_hz)
    whole, offsets = clip_features(audio, front_end)
    assert offsets == (0, 50, 100, 150, 200)
    for offset in offsets:
        start = offset * front_end.stft_hop_frames
        window = audio[np.newaxis, start : start + front_end.window_frames]
        alone = np.asarray(log_mel(window, front_end))[0]
        np.testing.assert_allclose(whole[offset : offset + front_end.patch_frames], alone, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.01, 0.3, 0.999])
def test_a_short_clip_is_seen_at_the_start_of_a_window_as_in_analysis(seconds: float) -> None:
    front_end = FrontEnd()
    audio = noise(seconds, front_end.rate_hz)
    features, offsets = clip_features(audio, front_end)
    padded = np.pad(audio, (0, front_end.window_frames - len(audio)))
    expected = np.asarray(log_mel(padded[np.newaxis], front_end))[0]
    (offset,) = offsets
    np.testing.assert_allclose(features[offset : offset + front_end.patch_frames], expected, atol=1e-4)


def test_standardised_patches_hardly_depend_on_the_gain() -> None:
    front_end = FrontEnd()
    audio = noise(1.0, front_end.rate_hz)[np.newaxis]
    loud, soft = (np.asarray(standardise(log_mel(audio * gain, front_end))) for gain in (1.0, 0.1))
    assert np.abs(loud - soft).mean() < 5e-3  # the floor below the logarithm remains
    assert abs(loud.mean()) < 1e-3
    assert abs(loud.std() - 1) < 1e-2


def test_levels_are_in_dbfs_with_a_floor() -> None:
    time = np.arange(24_000) / 24_000
    audio = np.stack([np.sin(2 * np.pi * 440 * time), 0.1 * np.sin(2 * np.pi * 440 * time), 0 * time])
    levels = np.asarray(level_dbfs(audio.astype(np.float32)))
    np.testing.assert_allclose(levels, [-3.01, -23.01, -120.0], atol=0.01)


def test_exact_silence_gives_finite_features() -> None:
    front_end = FrontEnd()
    silence = np.zeros((1, front_end.window_frames), np.float32)
    assert np.isfinite(np.asarray(standardise(log_mel(silence, front_end)))).all()
