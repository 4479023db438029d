"""JibJib's one answer for a whole recording: sums of powers over all windows, and the best three renormalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from serving.analysis import Model
from serving.gateway.jibjib.species import Species
from serving.prediction import Prediction
from serving.signature import ModelDescription
from tidzam_platform.audio import Window

BEST: Final = 3


class PoolingModel:
    """Adds up what a model answers while a file is heard; memory does not grow with the file.

    Windows below the level of silence count for nothing, whatever the classifier says of them.
    """

    def __init__(self, model: Model, *, power: int, no_signal_dbfs: float) -> None:
        """Args: whose answers; the power of each score; the level below which nothing is heard, in dB of full scale."""
        self._model = model
        self._power = power
        self._no_signal_dbfs = no_signal_dbfs
        self._paths: list[str] = []
        self._sums: npt.NDArray[np.float64] = np.zeros(0)

    def describe(self) -> ModelDescription:
        """Of the model; a hearing begins with it, so counting begins anew."""
        description = self._model.describe()
        self._paths = [known.path for known in description.classes]
        self._sums = np.zeros(len(self._paths))
        return description

    def predict(self, audio: npt.NDArray[np.float32]) -> Prediction:
        """Of the model; not counted."""
        return self._model.predict(audio)

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Of the model, and counted; an answer of another generation is not, as it ends the hearing."""
        prediction = self._model.predict_windows(windows)
        if prediction.scores.shape[1] == len(self._sums):
            heard = prediction.scores[prediction.level_dbfs >= self._no_signal_dbfs].astype(np.float64)
            self._sums += (heard**self._power).sum(axis=0)
        return prediction

    def best(self, species: Sequence[Species]) -> list[tuple[Species, float]]:
        """The best three of ``species`` with their shares of the three sums, which add up to 1; the best first.

        Species without any score are left out: fewer than three, or none, are the answer then.
        """
        sums = dict(zip(self._paths, self._sums.tolist(), strict=True))
        scored = [(one, sums.get(one.class_path, 0.0)) for one in species]
        ranked = sorted((pair for pair in scored if pair[1] > 0), key=lambda pair: (-pair[1], pair[0].id))
        best = ranked[:BEST]
        total = sum(score for _, score in best)
        return [(one, score / total) for one, score in best]
