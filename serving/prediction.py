"""The answer of a model, wherever it ran."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)  # arrays: each is itself alone
class Prediction:
    """What one generation heard in a batch of windows.

    Attributes:
        scores: float32 ``[batch, classes]`` in [0, 1], combined over the tree, in the order of the
            description.
        embedding: float32 ``[batch, d]``.
        level_dbfs: float32 ``[batch]``, level of each window in dB of full scale.
        generation: the version of the model that answered.
    """

    scores: NDArray[np.float32]
    embedding: NDArray[np.float32]
    level_dbfs: NDArray[np.float32]
    generation: int
