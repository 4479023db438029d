"""Filter banks and windows are librosa's and scipy's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.front_end import PRESETS, FrontEnd, band_centres_hz, mel_filters
from tidzam_platform.classifiers.front_end.continuous import _window

FRONT_ENDS = {
    **PRESETS,
    "low": FrontEnd(low_hz=60, high_hz=900, bands=16),
    "high": FrontEnd(low_hz=2000, bands=40),
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_filter_banks_are_librosas(name: str) -> None:
    from librosa import mel_frequencies
    from librosa.filters import mel

    front_end = FRONT_ENDS[name]
    htk = front_end.scale == "htk"
    librosas = mel(
        sr=front_end.rate_hz,
        n_fft=front_end.fft_frames,
        n_mels=front_end.bands,
        fmin=front_end.low_hz,
        fmax=front_end.high_hz,
        htk=htk,
        norm=None if htk else "slaney",
    )
    np.testing.assert_array_equal(mel_filters(front_end), librosas.T)
    centres = mel_frequencies(front_end.bands + 2, fmin=front_end.low_hz, fmax=front_end.high_hz, htk=htk)[
        1:-1
    ]
    np.testing.assert_array_equal(band_centres_hz(front_end), centres)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_window_is_scipys_in_the_middle_of_the_fft(name: str) -> None:
    from scipy.signal import get_window

    front_end = FRONT_ENDS[name]
    window = _window(front_end)
    lead = (front_end.fft_frames - front_end.stft_window_frames) // 2
    np.testing.assert_array_equal(
        window[lead : lead + front_end.stft_window_frames],
        get_window("hann", front_end.stft_window_frames).astype(np.float32),
    )
    assert not window[:lead].any()
    assert not window[lead + front_end.stft_window_frames :].any()
