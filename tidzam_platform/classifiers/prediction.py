"""Running Keras models over many windows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

PREDICT_BATCH: Final = 256


def predict(model: Any, rows: npt.NDArray[np.float32], batch: int = PREDICT_BATCH) -> Any:
    """Answers of a Keras model for all rows, as an array or a dict of arrays.

    Batch by batch and of one size, so that the graph is traced once. (``model.predict`` makes a tf.data pipeline of
    the rows first, which under op determinism warns about itself.)

    Args:
        model: takes ``[batch, ...]``.
        rows: float32 ``[rows, ...]``, at least one.
        batch: how many rows at once.
    """
    size = min(batch, len(rows))
    answers = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        missing = size - len(part)
        filled = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)]) if missing else part
        answers.append(model.predict_on_batch(filled))
    if isinstance(answers[0], dict):
        return {name: np.concatenate([one[name] for one in answers])[: len(rows)] for name in answers[0]}
    return np.concatenate(answers)[: len(rows)]
