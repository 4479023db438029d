"""Loading of one version of the model, checked: what the server and in-process users share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from serving.manifest import read_plain_file, verify_manifest
from serving.saved_model import SavedModel
from serving.signature import (
    AUDIO_INPUT,
    DESCRIBE_SIGNATURE,
    DESCRIPTION_PATH,
    JSON_OUTPUT,
    PREDICT_OUTPUTS,
    PREDICT_SIGNATURE,
    REQUEST_INPUT,
    ModelDescription,
)
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import ModelRepositoryError

_DESCRIBE_LIMIT_S: Final = 30.0
_CONTRACT: Final = {
    PREDICT_SIGNATURE: ({AUDIO_INPUT}, set(PREDICT_OUTPUTS)),
    DESCRIBE_SIGNATURE: ({REQUEST_INPUT}, {JSON_OUTPUT}),
}


def load_version(folder: Path) -> tuple[SavedModel, ModelDescription]:
    """Load the version in ``folder`` after checking every file against its manifest.

    Raises:
        ModelRepositoryError: a file is damaged, it is no SavedModel, or it lacks our signatures.
    """
    verify_manifest(folder)
    model = SavedModel(folder)
    try:
        return model, _describe(model, folder)
    except BaseException:
        model.close()
        raise


def read_description(folder: Path) -> ModelDescription | None:
    """What the version in ``folder`` says of itself, without TensorFlow; None if an earlier Tidzam exported it.

    Raises:
        ModelRepositoryError: the file makes no sense.
    """
    path = folder / DESCRIPTION_PATH
    return ModelDescription.from_json(read_plain_file(path)) if path.exists() else None


def _describe(model: SavedModel, folder: Path) -> ModelDescription:
    for name, (inputs, outputs) in _CONTRACT.items():
        definition = model.signatures.get(name)
        if definition is None or set(definition.inputs) != inputs or set(definition.outputs) != outputs:
            raise ModelRepositoryError(
                f"{folder} has no signature {name!r} from {sorted(inputs)} to {sorted(outputs)}: "
                "export it again"
            )
    load_tensorflow()
    import tensorflow as tf

    try:
        request = {REQUEST_INPUT: np.zeros(1, np.int32)}
        answer = model.run(DESCRIBE_SIGNATURE, request, (JSON_OUTPUT,), _DESCRIBE_LIMIT_S)
    except tf.errors.OpError as error:
        raise ModelRepositoryError(f"{folder} cannot describe itself: {error.message}") from error
    return ModelDescription.from_json(answer[JSON_OUTPUT].item(0))
