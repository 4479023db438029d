"""Log-mel spectrogram and level of a signal."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end.mel import mel_edges_hz, mel_triangles
from tidzam_platform.classifiers.front_end.parameters import FrontEnd
from tidzam_platform.errors import TrainingError

LEVEL_FLOOR_DBFS: Final = -120.0
_LEVEL_FLOOR_POWER: Final = 10 ** (LEVEL_FLOOR_DBFS / 10)


@lru_cache(maxsize=8)
def mel_filters(front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """Mel filter bank as librosa makes it, triangles in Hz, float32 ``[bins, bands]``.

    Raises:
        TrainingError: a band is narrower than the FFT resolves and would hear nothing.
    """
    filters = mel_triangles(front_end)
    empty = np.flatnonzero(filters.max(axis=1) == 0)
    if len(empty):
        raise TrainingError(
            f"front end: {len(empty)} of {front_end.bands} bands hold no bin of the FFT; "
            f"take fewer bands or raise fft_frames {front_end.fft_frames}"
        )
    return np.asarray(filters.T, dtype=np.float32)


def band_centres_hz(front_end: FrontEnd) -> npt.NDArray[np.float64]:
    """Where each band's triangle is highest, ascending, ``[bands]``."""
    return mel_edges_hz(front_end)[1:-1]


def log_mel(audio: Any, front_end: FrontEnd) -> Any:
    """Natural logarithm of the mel spectrogram, of power or magnitude as ``front_end.spectrum`` says.

    Args:
        audio: float32 ``[batch, samples]`` in [-1, 1] at ``front_end.rate_hz``; an array or a Keras tensor.
        front_end: the parameters.

    Returns:
        float32 ``[batch, frames, bands]``; equal to librosa's melspectrogram with ``center=False``.
    """
    ops = load_keras().ops
    real, imaginary = ops.stft(
        audio,
        sequence_length=front_end.stft_window_frames,
        sequence_stride=front_end.stft_hop_frames,
        fft_length=front_end.fft_frames,
        window="hann",
        center=False,
    )
    spectrum = ops.square(real) + ops.square(imaginary)
    if front_end.spectrum == "magnitude":
        spectrum = ops.sqrt(spectrum)
    return ops.log(ops.matmul(spectrum, mel_filters(front_end)) + front_end.floor)


def level_dbfs(audio: Any) -> Any:
    """Root-mean-square level of each window in dB relative to full scale, float32 ``[batch]``, at least -120."""
    ops = load_keras().ops
    power = ops.mean(ops.square(audio), axis=-1)
    return float(10.0 / np.log(10.0)) * ops.log(ops.maximum(power, _LEVEL_FLOOR_POWER))
