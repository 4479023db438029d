"""Export of a trained model as a SavedModel with the signatures of ``serving.signature``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.audio_batch import as_audio_batch, find_unusable_row
from serving.manifest import write_manifest
from serving.signature import (
    AUDIO_INPUT,
    DESCRIBE_SIGNATURE,
    DESCRIPTION_PATH,
    EMBEDDING_OUTPUT,
    JSON_OUTPUT,
    LEVEL_OUTPUT,
    PREDICT_OUTPUTS,
    PREDICT_SIGNATURE,
    REQUEST_INPUT,
    SCORES_OUTPUT,
    ModelDescription,
)
from serving.warm_up import write_warm_up
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import ModelRepositoryError

_MAX_DESCRIBE_ROWS: Final = 1024  # a row of a few bytes is answered by kilobytes
_RANKS: Final = {SCORES_OUTPUT: 2, EMBEDDING_OUTPUT: 2, LEVEL_OUTPUT: 1}


def export_saved_model(
    model: Callable[[Any], Mapping[str, Any]],
    description: ModelDescription,
    folder: Path,
    warm_up_audio: NDArray[np.float32],
    write_extras: Callable[[Path], None] = lambda _folder: None,
) -> None:
    """Write ``model`` as a SavedModel with warm-up records into ``folder``, e.g. one from ``staging``.

    Args:
        model: maps a float32 tensor ``[batch, samples]`` to tensors ``scores`` ``[batch, classes]``,
            ``embedding`` ``[batch, d]`` and ``level_dbfs`` ``[batch]``, all float32: a Keras model or a
            function over variables.
        description: what ``describe`` answers; its window gives ``samples``, its classes the width of
            ``scores``.
        folder: an empty folder, or one that does not exist yet.
        warm_up_audio: float32 ``[rows, samples]``, at least one real window for the warm-up records.
        write_extras: writes more files into the folder, which the manifest then covers.

    Raises:
        ModelRepositoryError: the model or the audio does not fit the description.
    """
    load_tensorflow()
    import tensorflow as tf

    samples, text = description.window_frames, description.to_json()
    audio = as_audio_batch(warm_up_audio)
    if audio.shape[0] == 0 or audio.shape[1] != samples:
        raise ModelRepositoryError(
            f"warm-up audio is [rows, {samples}], at least one; this is {list(audio.shape)}"
        )
    if (complaint := find_unusable_row(audio)) is not None:
        raise ModelRepositoryError(f"warm-up audio: {complaint}")

    def predict(audio: Any) -> dict[str, Any]:
        answers = model(audio)
        _check_answers(answers, description)
        return {name: answers[name] for name in PREDICT_OUTPUTS}

    def describe(request: Any) -> dict[str, Any]:
        # One answer for each row: REST's row format asks for it, and TensorFlow Serving may join requests.
        few = tf.debugging.assert_less_equal(tf.size(request), _MAX_DESCRIBE_ROWS, "too many rows")
        with tf.control_dependencies([few]):
            return {JSON_OUTPUT: tf.fill(tf.shape(request), text)}

    traced = tf.function(predict).get_concrete_function(
        tf.TensorSpec([None, samples], tf.float32, name=AUDIO_INPUT)
    )
    described = tf.function(describe).get_concrete_function(
        tf.TensorSpec([None], tf.int32, name=REQUEST_INPUT)
    )
    exported = tf.Module()
    # Exactly the variables that the graph reads: no optimiser, no training functions of Keras.
    exported.variables_of_model = list(traced.graph.variables)
    signatures = {PREDICT_SIGNATURE: traced, DESCRIBE_SIGNATURE: described}
    tf.saved_model.save(exported, str(folder), signatures=signatures)
    write_warm_up(folder, audio)
    (folder / DESCRIPTION_PATH).write_text(text + "\n", encoding="utf-8")
    write_extras(folder)
    write_manifest(folder)


def _check_answers(answers: Mapping[str, Any], description: ModelDescription) -> None:
    if set(answers) != set(PREDICT_OUTPUTS):
        raise ModelRepositoryError(f"the model answers {sorted(answers)}, not {sorted(PREDICT_OUTPUTS)}")
    for name, rank in _RANKS.items():
        tensor = answers[name]
        if tensor.dtype.name != "float32" or tensor.shape.rank != rank:
            raise ModelRepositoryError(
                f"{name} is float32 of {rank} dimensions; the model gives {tensor.dtype.name} {tensor.shape}"
            )
    if answers[SCORES_OUTPUT].shape[1] != len(description.classes):
        raise ModelRepositoryError(
            f"the model gives scores {answers[SCORES_OUTPUT].shape} for {len(description.classes)} classes"
        )
