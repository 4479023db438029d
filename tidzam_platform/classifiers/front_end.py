"""The log-mel front end: one function for training and serving, written in backend-neutral Keras operations.

Frames are not padded at the borders, so the log-mel of a window that begins on a multiple of the STFT hop is a
slice of the log-mel of the whole signal: training cuts its patches from whole clips and sees what serving sees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras

LEVEL_FLOOR_DBFS: Final = -120.0
_LEVEL_FLOOR_POWER: Final = 10 ** (LEVEL_FLOOR_DBFS / 10)
_STANDARDISE_EPSILON: Final = 1e-3  # in units of log power: keeps a window of exact zeros finite


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of the front end; stored with each expert, since weights are worth nothing with others.

    The defaults hear 60 Hz to 11 kHz: most birds sing below it, and 24 kHz is half of what JACK and Opus run at.
    """

    rate_hz: int = 24_000
    window_s: float = 1.0
    hop_s: float = 0.5
    fft_frames: int = 1024
    stft_window_frames: int = 600  # 25 ms, periodic Hann
    stft_hop_frames: int = 240  # 10 ms
    bands: int = 64
    low_hz: float = 60.0
    high_hz: float = 11_000.0
    floor: float = 1e-6  # added to the power of a band before the logarithm

    @property
    def window_frames(self) -> int:
        """Samples in a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def hop_frames(self) -> int:
        """Samples from one window to the next."""
        return round(self.hop_s * self.rate_hz)

    @property
    def patch_frames(self) -> int:
        """STFT frames in a window."""
        return self.stft_frames(self.window_frames)

    def stft_frames(self, samples: int) -> int:
        """STFT frames in a signal of ``samples``."""
        return max(0, 1 + (samples - self.fft_frames) // self.stft_hop_frames)

    def to_dict(self) -> dict[str, Any]:
        """Parameters as JSON holds them."""
        return asdict(self)


@lru_cache(maxsize=8)
def mel_filters(front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """Mel filter bank (Slaney's scale and normalisation, as librosa), float32 ``[bins, bands]``."""
    from librosa.filters import mel

    filters = mel(
        sr=front_end.rate_hz,
        n_fft=front_end.fft_frames,
        n_mels=front_end.bands,
        fmin=front_end.low_hz,
        fmax=front_end.high_hz,
    )
    return np.asarray(filters.T, dtype=np.float32)


def log_mel(audio: Any, front_end: FrontEnd) -> Any:
    """Natural logarithm of the mel power spectrogram.

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
    power = ops.square(real) + ops.square(imaginary)
    return ops.log(ops.matmul(power, mel_filters(front_end)) + front_end.floor)


def standardise(patches: Any) -> Any:
    """Zero mean and unit deviation over each window, float32 ``[batch, frames, bands]`` in and out.

    Per window, so that it works on a stream and the distance of a source matters little.
    """
    ops = load_keras().ops
    mean = ops.mean(patches, axis=(1, 2), keepdims=True)
    deviation = ops.std(patches, axis=(1, 2), keepdims=True)
    return (patches - mean) / (deviation + _STANDARDISE_EPSILON)


def level_dbfs(audio: Any) -> Any:
    """Root-mean-square level of each window in dB relative to full scale, float32 ``[batch]``, at least -120."""
    ops = load_keras().ops
    power = ops.mean(ops.square(audio), axis=-1)
    return float(10.0 / np.log(10.0)) * ops.log(ops.maximum(power, _LEVEL_FLOOR_POWER))
