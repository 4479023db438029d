"""The log-mel of a whole signal without Keras: what batch work computes once and cuts its windows from.

With windows that overlap by half, features by window compute every frame twice; and a graph that takes audio cannot
share them. The result equals ``log_mel`` within rounding; a test holds the two together.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.front_end.parameters import FrontEnd
from tidzam_platform.classifiers.front_end.spectrogram import mel_filters

FloatArray = npt.NDArray[np.float32]
# STFT frames at once: their spectra stay in the cache, and the product is too small for BLAS to wake other threads,
# which wait by spinning.
_BLOCK_FRAMES: Final = 32


def log_mel_of_signal(audio: FloatArray, front_end: FrontEnd) -> FloatArray:
    """Natural logarithm of the mel spectrogram.

    Args:
        audio: float32 ``[samples]`` in [-1, 1] at ``front_end.rate_hz``, at least ``fft_frames`` long.
        front_end: the parameters.

    Returns:
        float32 ``[frames, bands]``; frame ``k`` begins at sample ``k * stft_hop_frames``.
    """
    from scipy.fft import rfft

    samples = np.ascontiguousarray(audio, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, front_end.fft_frames)[
        :: front_end.stft_hop_frames
    ]
    window, filters, bins = _window(front_end), *_filters_heard(front_end)
    bands = np.empty((len(frames), front_end.bands), np.float32)
    for start in range(0, len(frames), _BLOCK_FRAMES):
        spectrum = rfft(frames[start : start + _BLOCK_FRAMES] * window, overwrite_x=True)[:, bins]
        parts = np.ascontiguousarray(spectrum).view(np.float32)
        parts *= parts
        power = parts[:, 0::2] + parts[:, 1::2]
        if front_end.spectrum == "magnitude":
            np.sqrt(power, out=power)
        np.matmul(power, filters, out=bands[start : start + _BLOCK_FRAMES])
    bands += np.float32(front_end.floor)
    logarithm: FloatArray = np.log(bands, out=bands)
    return logarithm


@lru_cache(maxsize=8)
def _window(front_end: FrontEnd) -> FloatArray:
    """Periodic Hann window in the middle of an FFT, as Keras places it, float32 ``[fft_frames]``."""
    from scipy.signal import get_window

    lead = (front_end.fft_frames - front_end.stft_window_frames) // 2
    window = np.zeros(front_end.fft_frames, np.float32)
    window[lead : lead + front_end.stft_window_frames] = get_window("hann", front_end.stft_window_frames)
    return window


@lru_cache(maxsize=8)
def _filters_heard(front_end: FrontEnd) -> tuple[FloatArray, slice]:
    """The filter bank without the bins that no band listens to, and which bins those are that remain."""
    filters = mel_filters(front_end)
    heard = np.flatnonzero(filters.any(axis=1))
    bins = slice(int(heard[0]), int(heard[-1]) + 1)
    return np.ascontiguousarray(filters[bins]), bins
