"""A trained tree that hears as a served model does, before it is exported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.audio_batch import as_audio_batch, find_unusable_row
from serving.prediction import Prediction
from serving.signature import (
    EMBEDDING_OUTPUT,
    LEVEL_OUTPUT,
    PREDICT_OUTPUTS,
    SCORES_OUTPUT,
    ClassDescription,
    ModelDescription,
)
from tidzam_platform.audio import Window
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.errors import ModelServerError

BATCH: Final = 64  # of one size, so that the graph is traced once; where a CPU is most efficient
_MEASURED_S: Final = 0.5
_LEAST_BATCHES: Final = 4


def describe_tree(tree: TrainedTree, number: int, dataset_version: str) -> ModelDescription:
    """What the model of a tree says of itself when it is served as generation ``number``."""
    return ModelDescription(
        classes=tuple(
            ClassDescription(node, tree.spec.parent_of(node), tree.thresholds[node])
            for node in tree.spec.nodes
        ),
        rate_hz=tree.front_end.rate_hz,
        window_s=tree.front_end.window_s,
        hop_s=tree.front_end.hop_s,
        generation=number,
        dataset_version=dataset_version,
        labels=tree.spec.labels,
    )


class TreeModel:
    """A ``serving.analysis.Model`` of a tree in memory; the graph is the one that an export would hold.

    Args:
        tree: trained, with its thresholds.
        description: see ``describe_tree``.
    """

    def __init__(self, tree: TrainedTree, description: ModelDescription) -> None:
        self._tree, self._description = tree, description

    @cached_property
    def _model(self) -> Any:
        return self._tree.serving_model()

    def describe(self) -> ModelDescription:
        """What the model says of itself."""
        return self._description

    def predict(self, audio: NDArray[np.float32]) -> Prediction:
        """Judge windows, float32 ``[batch, samples]`` in [-1, 1] at the model's rate.

        Raises:
            ModelServerError: the shape is not the model's, or a row is unusable.
        """
        batch = as_audio_batch(audio)
        if batch.shape[1] != self._description.window_frames:
            raise ModelServerError(
                f"a window of this model has {self._description.window_frames} samples, not {batch.shape[1]}"
            )
        if (complaint := find_unusable_row(batch)) is not None:
            raise ModelServerError(complaint)
        parts = [self._run(batch[start : start + BATCH]) for start in range(0, max(1, len(batch)), BATCH)]
        whole = {name: np.concatenate([part[name] for part in parts]) for name in PREDICT_OUTPUTS}
        return Prediction(
            whole[SCORES_OUTPUT], whole[EMBEDDING_OUTPUT], whole[LEVEL_OUTPUT], self._description.generation
        )

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Judge all channels of each window in turn; errors as ``predict``."""
        return self.predict(np.concatenate([window.samples for window in windows]))

    def windows_per_s(self) -> float:
        """How many windows it judges in a second on this machine, in full batches; takes about a second."""
        noise = (
            np.random.default_rng(0).standard_normal((BATCH, self._description.window_frames), np.float32)
            * 0.01
        )
        self._run(noise)  # traces the graph
        quickest_s, started_s, batches = float("inf"), time.monotonic(), 0
        while batches < _LEAST_BATCHES or time.monotonic() - started_s < _MEASURED_S:
            begun_s = time.monotonic()
            self._run(noise)
            # The quickest: what other work on this machine takes is not the model's.
            quickest_s = min(quickest_s, time.monotonic() - begun_s)
            batches += 1
        return BATCH / quickest_s

    def _run(self, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        missing = BATCH - len(rows)
        filled = np.concatenate([rows, np.zeros((missing, rows.shape[1]), np.float32)]) if missing else rows
        answers = self._model.predict_on_batch(filled)
        return {name: np.asarray(answers[name])[: len(rows)] for name in PREDICT_OUTPUTS}
