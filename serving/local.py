"""A model version run in this process, for work that needs no server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from serving.audio_batch import as_audio_batch, find_unusable_row
from serving.companion import Companion
from serving.loading import load_version
from serving.prediction import Prediction
from serving.repository import ModelRepository
from serving.signature import (
    AUDIO_INPUT,
    EMBEDDING_OUTPUT,
    LEVEL_OUTPUT,
    PREDICT_OUTPUTS,
    PREDICT_SIGNATURE,
    SCORES_OUTPUT,
    ModelDescription,
)
from tidzam_platform.audio import Window
from tidzam_platform.errors import ModelRepositoryError, ModelServerError

MAX_BATCH: Final = 64  # larger batches are no faster and take more memory
_RUN_LIMIT_S: Final = 120.0


class LocalModel:
    """One version of the model, loaded into this process.

    Args:
        version_folder: a version of the repository, e.g. ``repository.path(3)``.

    Raises:
        ModelRepositoryError: a file differs from the manifest, or it is no version that we can load.
    """

    def __init__(self, version_folder: Path) -> None:
        self._model, self._description = load_version(version_folder)
        self._companion = (
            Companion(version_folder, len(self._description.classes), self._description.generation)
            if Companion.exists(version_folder)
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self) -> ModelDescription:
        """What the model says of itself."""
        return self._description

    def predict(self, audio: NDArray[np.float32]) -> Prediction:
        """Judge windows.

        Args:
            audio: float32 ``[batch, samples]`` in [-1, 1] at the model's rate; any number of rows.

        Raises:
            ModelServerError: the shape is not the model's, or a row is unusable (NaN, not scaled).
        """
        batch = self._check(audio)
        # An empty batch runs too, so that its answers have the right width.
        parts = [
            self._run(batch[start : start + MAX_BATCH]) for start in range(0, max(1, len(batch)), MAX_BATCH)
        ]
        whole = {name: np.concatenate([part[name] for part in parts]) for name in PREDICT_OUTPUTS}
        return Prediction(
            whole[SCORES_OUTPUT], whole[EMBEDDING_OUTPUT], whole[LEVEL_OUTPUT], self._description.generation
        )

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Judge all channels of each window in turn; the companion, where there is one, is several times faster.

        Raises:
            ModelServerError: as ``predict``.
        """
        audio = np.concatenate([window.samples for window in windows])
        if self._companion is None:
            return self.predict(audio)
        self._check(audio)
        return self._companion.predict_windows(windows)

    def close(self) -> None:
        """Give the memory back."""
        self._model.close()

    def _check(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        batch, samples = as_audio_batch(audio), self._description.window_frames
        if batch.shape[1] != samples:
            raise ModelServerError(f"a window of this model has {samples} samples, not {batch.shape[1]}")
        if (complaint := find_unusable_row(batch)) is not None:
            raise ModelServerError(complaint)
        return batch

    def _run(self, batch: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        import tensorflow as tf

        try:
            return self._model.run(PREDICT_SIGNATURE, {AUDIO_INPUT: batch}, PREDICT_OUTPUTS, _RUN_LIMIT_S)
        except tf.errors.OpError as error:
            raise ModelServerError(f"the model failed in process: {error.message}") from error


def open_generation(models_folder: Path, generation: int | None) -> LocalModel:
    """A generation of the model repository, the one in service unless a number says which.

    Raises:
        ModelRepositoryError: there is none yet, it is not what was published, or it cannot be loaded.
    """
    repository = ModelRepository(models_folder)
    number = generation if generation is not None else repository.in_service()
    if number is None:
        raise ModelRepositoryError(
            f"no generation in {models_folder} yet: make one with ./tidzam generation run"
        )
    repository.verify(number)
    return LocalModel(repository.path(number))
