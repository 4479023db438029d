"""What all heads ask of the examples that they learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import TrainingError


@dataclass(frozen=True)
class Examples:
    """Examples of at least two classes, each with a weight above 0."""

    embeddings: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def checked_truths(
    embeddings: npt.NDArray[np.float32],
    yes: npt.NDArray[np.floating[Any]],
    no: npt.NDArray[np.floating[Any]],
) -> None:
    """TrainingError if shapes do not agree, a number is not finite, or no example has a class."""
    if embeddings.ndim != 2 or yes.ndim != 2 or len(yes) != len(embeddings) or yes.shape != no.shape:
        raise TrainingError(
            "a head of several labels learns from embeddings [examples, d] and truths [examples, classes]; it was "
            f"given {list(embeddings.shape)}, {list(yes.shape)} and {list(no.shape)}"
        )
    _check_finite(embeddings)
    if not yes.any():
        raise TrainingError("a head needs examples of at least one class, there are none; label more clips")


def _check_finite(embeddings: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(embeddings).all():
        row = int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])
        raise TrainingError(f"embedding {row} is not finite; look at its clip and at the trunk's weights")


def checked_examples(
    embeddings: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    weights: npt.NDArray[np.floating[Any]] | None,
) -> Examples:
    """The examples that count, those of weight 0 left out.

    Raises:
        TrainingError: shapes do not agree, a number is not finite, a label is none, or fewer than two classes count.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise TrainingError(
            f"a head learns from embeddings [examples, d] and labels [examples]; it was given {list(embeddings.shape)} "
            f"and {list(labels.shape)}"
        )
    counting = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    if counting.shape != labels.shape or not np.isfinite(counting).all() or (counting < 0).any():
        raise TrainingError("example weights must be one finite number of at least 0 for each example")
    _check_finite(embeddings)
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise TrainingError(
            f"labels reach from {labels.min()} to {labels.max()}, there are {classes} classes"
        )
    kept = counting > 0
    seen = len(np.unique(labels[kept]))
    if seen < 2:
        raise TrainingError(
            f"a head needs examples of at least two classes, there are {seen}; label more clips"
        )
    return Examples(embeddings[kept].astype(np.float32), labels[kept], counting[kept])
