"""From log-mel to what a network sees: fixed scaling, standardisation of the window, or PCEN.

The last two take gain and background away. All look at the window alone, so a window means the same live, in a file
and in training.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end.parameters import FrontEnd

_STANDARDISE_EPSILON: Final = 1e-3  # in units of log power: keeps a window of exact zeros finite


def normalise(patches: Any, front_end: FrontEnd) -> Any:
    """What ``front_end.normalisation`` says, on log-mel windows; float32 ``[batch, frames, bands]`` in and out."""
    match front_end.normalisation:
        case "fixed":
            return (
                load_keras().ops.convert_to_tensor(patches) - front_end.fixed_mean
            ) / front_end.fixed_deviation
        case "standardise":
            return standardise(patches)
        case "pcen":
            return pcen(patches, front_end)
        case "none":
            return load_keras().ops.convert_to_tensor(patches)


def standardise(patches: Any) -> Any:
    """Zero mean and unit deviation over each window, float32 ``[batch, frames, bands]`` in and out.

    Per window, so that it works on a stream and the distance of a source matters little.
    """
    ops = load_keras().ops
    mean = ops.mean(patches, axis=(1, 2), keepdims=True)
    deviation = ops.std(patches, axis=(1, 2), keepdims=True)
    return (patches - mean) / (deviation + _STANDARDISE_EPSILON)


def pcen(patches: Any, front_end: FrontEnd) -> Any:
    """Per-channel energy normalisation of log-mel windows (Wang 2017, Lostanlen 2019).

    The bands ``S = exp(patches) - floor`` are divided by their own smoothed past ``M`` and compressed:
    ``(S / (eps + M) ** gain + bias) ** power - bias ** power``. ``M`` begins at the window's first frame, as if it
    had always been heard. Equal to ``librosa.pcen(S, zi=(1 - b) * S[:, :1])`` with librosa's smoothing coefficient
    ``b``; its default ``zi`` would begin at 1, whatever the level.

    Args:
        patches: float32 ``[batch, frames, bands]``, log-mel.
        front_end: the parameters ``floor`` and ``pcen_*``.

    Returns:
        float32 ``[batch, frames, bands]``, at least 0.
    """
    ops = load_keras().ops
    energy = ops.maximum(ops.exp(patches) - front_end.floor, 0.0)
    smooth = ops.matmul(_smoother(front_end, patches.shape[1]), energy)
    eps, bias, power = front_end.pcen_eps, front_end.pcen_bias, front_end.pcen_power
    # Through logarithms, as librosa: quiet bands would lose their digits in eps + M.
    gain = ops.exp(-front_end.pcen_gain * (float(np.log(eps)) + ops.log1p(smooth / eps)))
    controlled = energy * gain
    if power == 0:  # the limit of strong compression
        return ops.log1p(controlled)
    if bias == 0:
        return ops.power(controlled, power)
    return bias**power * ops.expm1(power * ops.log1p(controlled / bias))


@lru_cache(maxsize=8)
def _smoother(front_end: FrontEnd, frames: int) -> npt.NDArray[np.float32]:
    """The recursion ``M[t] = (1 - b) M[t - 1] + b S[t]``, ``M[0] = S[0]``, as one lower triangular matrix.

    A matrix product is in every backend's graph, where a loop over frames is slow. Rows sum to 1.
    """
    time_constant_frames = front_end.pcen_time_constant_s * front_end.rate_hz / front_end.stft_hop_frames
    b = (np.sqrt(1 + 4 * time_constant_frames**2) - 1) / (2 * time_constant_frames**2)
    age = np.subtract.outer(np.arange(frames), np.arange(frames))
    matrix = np.where(age >= 0, b * (1 - b) ** np.maximum(age, 0), 0.0)
    matrix[:, 0] = (1 - b) ** np.arange(frames)  # the first frame stands for all that came before
    return matrix.astype(np.float32)
