"""Logistic regression on embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.heads.examples import checked_examples

REGULARISATION: Final = 1.0  # inverse strength, of scikit-learn; on standardised inputs
_MAX_ITERATIONS: Final = 5000
_ABSENT: Final = -1e4  # bias of a class without an example: its probability is 0 in float32
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
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0)
    varies = deviation > _RELATIVE_DEVIATION * (np.abs(mean) + deviation.max())
    scale = np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0)
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


def apply(arrays: Mapping[str, npt.NDArray[Any]], embedding: Any) -> Any:
    """Softmax of the linear map; see ``heads.Apply``."""
    ops = load_keras().ops
    return ops.softmax(ops.matmul(embedding, arrays["kernel"]) + arrays["bias"])
