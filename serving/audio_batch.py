"""The one gate for audio on its way into a model, the same in the server, the client and in process."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import ModelServerError

# Full scale is 1. Lossy codecs and gain overshoot it by a few dB; integers that nobody scaled exceed this by
# far.
MAX_AMPLITUDE: Final = 16.0


def as_audio_batch(audio: Any) -> NDArray[np.float32]:
    """``audio`` as contiguous float32 ``[batch, samples]``; copied only where it must be.

    Raises:
        ModelServerError: it is not two-dimensional, or holds no floating-point numbers.
    """
    batch = np.asarray(audio)
    if batch.ndim != 2:
        raise ModelServerError(f"audio is [batch, samples]; this has the shape {list(batch.shape)}")
    if not np.issubdtype(batch.dtype, np.floating):
        raise ModelServerError(
            f"audio holds floats in [-1, 1], not {batch.dtype}: divide integers by full scale"
        )
    return np.ascontiguousarray(batch, dtype=np.float32)


def find_unusable_row(audio: NDArray[np.float32]) -> str | None:
    """What is wrong with the first row that no model can judge, or None when all are fine.

    A row is unusable if it holds NaN, infinity, or a sample beyond ``MAX_AMPLITUDE``.
    """
    if audio.size == 0:
        return None
    # NaN spreads through max and min, and every comparison with it is false.
    usable = (audio.max(axis=1) <= MAX_AMPLITUDE) & (audio.min(axis=1) >= -MAX_AMPLITUDE)
    if usable.all():
        return None
    row = int(np.argmin(usable))
    finite = np.isfinite(audio[row])
    if not finite.all():
        column = int(np.argmin(finite))
        return f"row {row} of audio holds {audio[row, column]} at sample {column}: send finite numbers"
    peak = float(np.abs(audio[row]).max())
    return (
        f"row {row} of audio reaches {peak:g}, where full scale is 1 and {MAX_AMPLITUDE:g} the limit: "
        "divide integer samples by their full scale"
    )
