"""Temperature: one number that makes probabilities as sure as they are right.

It never changes which class is the top one. After Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import TrainingError

BOUNDS: Final = (0.05, 20.0)  # beyond these the likelihood of any sane classifier is flat
_LEAST: Final = 1e-30  # stands for a probability of 0, whose logarithm there is not
_TOLERANCE: Final = 1e-4  # of the logarithm of the temperature


def fit_temperature(
    probabilities: npt.NDArray[np.floating],
    truth: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating] | None = None,
    *,
    from_logits: bool = False,
) -> float:
    """The temperature with the highest likelihood of the truth.

    The negative log likelihood has one minimum, for it is convex in 1 / temperature.

    Args:
        probabilities: float ``[n, classes]``, as the classifier gives them for clips that it was not trained on; or
            its logits.
        truth: integers ``[n]``, index of each one's class.
        weights: float ``[n]``, not negative, not all 0; None counts all the same.
        from_logits: whether ``probabilities`` are logits.

    Returns:
        Above 1 if the classifier is too sure, below if it is not sure enough, within ``BOUNDS``.

    Raises:
        TrainingError: shapes do not fit, or values make no sense.
    """
    from scipy.optimize import minimize_scalar

    logits = _checked_logits(np.asarray(probabilities, np.float64), from_logits)
    counts, classes = logits.shape
    truth = np.asarray(truth)
    if (
        not np.issubdtype(truth.dtype, np.integer)
        or truth.shape != (counts,)
        or (truth < 0).any()
        or (truth >= classes).any()
    ):
        raise TrainingError(
            f"truth for {counts} rows of {classes} classes must be {counts} indices of classes"
        )
    share = np.ones(counts) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (counts,) or not np.isfinite(share).all() or (share < 0).any() or not share.any():
        raise TrainingError(f"weights must be {counts} numbers of at least 0, one of them above")
    share = share / share.sum()
    rows = np.arange(counts)

    def loss(log_temperature: float) -> float:
        scaled = _log_softmax(logits / np.exp(log_temperature))
        return float(-(share * scaled[rows, truth]).sum())

    bounds = (float(np.log(BOUNDS[0])), float(np.log(BOUNDS[1])))
    found: Any = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE})
    return float(np.exp(found.x))


def apply_temperature(probabilities: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """Probabilities at another temperature, float64 ``[..., classes]``; each row sums to 1.

    Raises:
        TrainingError: the temperature is not above 0.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise TrainingError(f"a temperature is a number above 0, not {temperature}")
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))
    return np.exp(_log_softmax(logits / temperature))


def _checked_logits(values: npt.NDArray[np.float64], from_logits: bool) -> npt.NDArray[np.float64]:
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise TrainingError(
            f"a temperature is fitted on finite values [n, classes], at least one of each, not {values.shape}"
        )
    if from_logits:
        return values
    if values.min() < 0 or values.max() > 1 + 1e-6:
        raise TrainingError(
            "a temperature is fitted on probabilities, in [0, 1]; for logits say from_logits=True"
        )
    return np.log(np.maximum(values, _LEAST))


def _log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
