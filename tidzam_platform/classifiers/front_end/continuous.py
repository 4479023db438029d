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
_BLOCK_FRAMES: Final = 64
_BAND_GROUPS: Final = 4


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
    count, size = front_end.stft_frames(len(samples)), front_end.stft_window_frames
    lead = (front_end.fft_frames - size) // 2
    frames = np.lib.stride_tricks.sliding_window_view(samples[lead:], size)[:: front_end.stft_hop_frames]
    window = _window(front_end)[lead : lead + size]
    bins, groups = _filters_heard(front_end)
    # Made once: what is allocated for each block costs as much as what is computed.
    padded = np.zeros((_BLOCK_FRAMES, front_end.fft_frames), np.float32)
    squares = np.empty((_BLOCK_FRAMES, 2 * (bins.stop - bins.start)), np.float32)
    power = np.empty((_BLOCK_FRAMES, bins.stop - bins.start), np.float32)
    bands = np.empty((count, front_end.bands), np.float32)
    for start in range(0, count, _BLOCK_FRAMES):
        rows = slice(0, min(_BLOCK_FRAMES, count - start))
        np.multiply(frames[start : start + rows.stop], window, out=padded[rows, lead : lead + size])
        parts = rfft(padded[rows]).view(np.float32)[:, 2 * bins.start : 2 * bins.stop]
        np.multiply(parts, parts, out=squares[rows])
        np.add(squares[rows, 0::2], squares[rows, 1::2], out=power[rows])
        if front_end.spectrum == "magnitude":
            np.sqrt(power, out=power)
        for heard, columns, filters in groups:
            bands[start : start + rows.stop, columns] = power[rows, heard] @ filters
    bands += np.float32(front_end.floor)
    logarithm: FloatArray = np.log(bands, out=bands)
    return logarithm


@lru_cache(maxsize=8)
def _window(front_end: FrontEnd) -> FloatArray:
    """Periodic Hann window in the middle of an FFT, as Keras places it, float32 ``[fft_frames]``."""
    lead = (front_end.fft_frames - front_end.stft_window_frames) // 2
    window = np.zeros(front_end.fft_frames, np.float32)
    # As scipy.signal.get_window("hann", ...) has it, whose import takes half a second.
    phase = np.linspace(-np.pi, np.pi, front_end.stft_window_frames + 1)[:-1]
    window[lead : lead + front_end.stft_window_frames] = 0.5 + 0.5 * np.cos(phase)
    return window


@lru_cache(maxsize=8)
def _filters_heard(front_end: FrontEnd) -> tuple[slice, list[tuple[slice, slice, FloatArray]]]:
    """Which bins any band listens to; and groups of bands, each with the bins that it listens to, and its filters.

    Most of the filter bank is zero: low bands listen to few bins, and none to those of another group.
    """
    filters = mel_filters(front_end)
    heard = np.flatnonzero(filters.any(axis=1))
    first, last = int(heard[0]), int(heard[-1]) + 1
    groups = []
    for columns in np.array_split(np.arange(front_end.bands), min(_BAND_GROUPS, front_end.bands)):
        chosen = slice(int(columns[0]), int(columns[-1]) + 1)
        rows = np.flatnonzero(filters[:, chosen].any(axis=1))
        begin, end = int(rows[0]), int(rows[-1]) + 1
        part = np.ascontiguousarray(filters[begin:end, chosen])
        groups.append((slice(begin - first, end - first), chosen, part))
    return slice(first, last), groups
