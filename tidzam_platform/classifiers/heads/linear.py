"""Logistic regression on embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.heads.examples import checked_examples, checked_truths

REGULARISATION: Final = 1.0  # inverse strength, of scikit-learn; on standardised inputs
_MAX_ITERATIONS: Final = 5000
_ABSENT: Final = -1e4  # bias of a class without an example: its probability is 0 in float32
_PRESENT: Final = -_ABSENT  # of one that no example lacks
_RELATIVE_DEVIATION: Final = 1e-6  # an input that varies less is constant but for rounding, and is left out


def fit(
    embeddings: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    *,
    weights: npt.NDArray[np.floating[Any]] | None = None,
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    """Multinomial logistic regression with balanced classes; see ``heads.Fit``.

    Returns:
        ``kernel`` float32 ``[d, classes]`` and ``bias`` float32 ``[classes]``; the standardisation of the inputs is
        folded in.
    """
    from sklearn.linear_model import LogisticRegression

    examples = checked_examples(embeddings, labels, classes, weights)
    inputs = examples.embeddings.astype(np.float64)
    mean, scale = _standardisation(inputs)
    model = LogisticRegression(
        C=REGULARISATION, class_weight="balanced", max_iter=_MAX_ITERATIONS, random_state=seed
    )
    model.fit((inputs - mean) * scale, examples.labels, sample_weight=examples.weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # a sigmoid of one row is a softmax of that row and zeros
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    kernel = np.zeros((inputs.shape[1], classes))
    bias = np.full(classes, _ABSENT)
    kernel[:, model.classes_] = coefficients.T * scale[:, np.newaxis]
    bias[model.classes_] = intercepts - mean @ kernel[:, model.classes_]
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def fit_independent(
    embeddings: npt.NDArray[np.float32],
    yes: npt.NDArray[np.floating[Any]],
    no: npt.NDArray[np.floating[Any]],
    *,
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    """A logistic regression for each class; see ``heads.FitIndependent``. Arrays as ``fit`` gives them."""
    from sklearn.linear_model import LogisticRegression

    checked_truths(embeddings, yes, no)
    inputs = embeddings.astype(np.float64)
    mean, scale = _standardisation(inputs)
    standardised = (inputs - mean) * scale
    kernel = np.zeros((inputs.shape[1], yes.shape[1]))
    bias = np.zeros(yes.shape[1])
    for column, (there, away) in enumerate(zip(yes.T, no.T, strict=True)):
        if not there.any() or not away.any():
            bias[column] = _PRESENT if there.any() else _ABSENT
            continue
        rows = np.flatnonzero(there + away)
        model = LogisticRegression(C=REGULARISATION, max_iter=_MAX_ITERATIONS, random_state=seed)
        model.fit(standardised[rows], there[rows] > away[rows], sample_weight=(there + away)[rows])
        kernel[:, column] = model.coef_[0] * scale
        bias[column] = model.intercept_[0] - mean @ kernel[:, column]
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def _standardisation(
    inputs: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean of each input, and what brings its deviation to 1; 0 for one that does not vary."""
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0)
    varies = deviation > _RELATIVE_DEVIATION * (np.abs(mean) + deviation.max())
    return mean, np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0)


def apply(arrays: Mapping[str, npt.NDArray[Any]], embedding: Any) -> Any:
    """The linear map; see ``heads.Apply``."""
    return load_keras().ops.matmul(embedding, arrays["kernel"]) + arrays["bias"]
