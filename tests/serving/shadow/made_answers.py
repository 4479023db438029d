"""Made-up generations and their answers, for comparisons whose figures are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.client import Prediction
from serving.signature import ClassDescription, ModelDescription
from tidzam_platform.classifiers.tree.activation import Labels

LOUD_DBFS = -20.0
QUIET_DBFS = -90.0


def described(generation: int, *paths: str, labels: Labels = "single") -> ModelDescription:
    """Classes with threshold 0.5; parents are those before the last ``-``, where they are among the paths."""
    return ModelDescription(
        classes=tuple(
            ClassDescription(path, parent if (parent := path.rpartition("-")[0]) in paths else None, 0.5)
            for path in paths
        ),
        rate_hz=8000,
        window_s=0.25,
        hop_s=0.125,
        generation=generation,
        dataset_version=f"made-{generation}",
        labels=labels,
    )


def answered(
    generation: int, scores: Sequence[Sequence[float]], levels: Sequence[float] | None = None
) -> Prediction:
    """A prediction with these scores, loud unless told otherwise."""
    rows = len(scores)
    return Prediction(
        np.array(scores, np.float32).reshape(rows, -1),
        np.zeros((rows, 2), np.float32),
        np.array([LOUD_DBFS] * rows if levels is None else levels, np.float32),
        generation,
    )
