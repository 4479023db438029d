"""Weights of a trunk, from a file that the user names and whose hash the user states."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.architectures.weight_formats import StoredWeights, open_weights
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.errors import TrainingError


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights: ``.npz``, Keras's ``.weights.h5`` or its older ``.h5``.

    Attributes:
        path: of the file.
        sha256: what its content must hash to, 64 hexadecimal digits; checked before anything in it is looked at.
    """

    path: Path
    sha256: str


def weight_arrays(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """All weights of a Keras model as ``<layer>/<index>`` -> array: what ``np.savez`` should keep of it."""
    return {
        f"{layer.name}/{index}": np.array(value)
        for layer in _layers_with_weights(model)
        for index, value in enumerate(layer.get_weights())
    }


def load_weights(trunk: Any, file: WeightsFile) -> None:
    """Set a trunk's weights, all of them or none.

    Layers are found by name; what the file holds beyond the trunk (a head, an optimiser's state) is left alone. An
    ``.h5`` of Keras 1 or 2 in which no name of the trunk occurs is taken layer by layer in order, as Keras itself does:
    its ImageNet files bear the names that layers had in 2018.

    Raises:
        TrainingError: the file is not readable, of another format or content, or does not fit the trunk.
    """
    try:
        content = file.path.read_bytes()
    except OSError as error:
        raise TrainingError(f"weights {file.path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256.strip().lower():
        raise TrainingError(
            f"weights {file.path} have the SHA-256 {found}, not {file.sha256}; get the file again from a source that "
            "you trust, or state the hash of this one"
        )
    with open_weights(file.path, content) as stored:
        layers = list(_layers_with_weights(trunk))
        arrays = [_fitting(layer, kept, file.path) for layer, kept in _pairs(layers, stored, file.path)]
    for layer, values in zip(layers, arrays, strict=True):
        layer.set_weights(values)


def _layers_with_weights(model: Any) -> Iterator[Any]:
    keras = load_keras()
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_with_weights(layer)
        elif layer.weights:
            yield layer


def _pairs(layers: list[Any], stored: StoredWeights, path: Path) -> Iterator[tuple[Any, list[Any]]]:
    missing = [layer.name for layer in layers if layer.name not in stored.layers]
    if not missing:
        for layer in layers:
            yield layer, stored.layers[layer.name]
    elif stored.in_order and len(missing) == len(layers) == len(stored.layers):
        yield from zip(layers, stored.layers.values(), strict=True)
    else:
        raise TrainingError(
            f"weights {path} have no layer {missing[0]!r} ({len(missing)} of {len(layers)} layers are not there); "
            "they were made for another architecture, or are not without their top"
        )


def _fitting(layer: Any, kept: list[Any], path: Path) -> list[npt.NDArray[np.float32]]:
    """The arrays of one layer, read once their shapes are seen to fit."""
    wanted = [tuple(weight.shape) for weight in layer.weights]
    shapes = [tuple(array.shape) for array in kept]
    if wanted != shapes:
        raise TrainingError(
            f"weights {path} do not fit layer {layer.name!r}: it has the shapes {wanted}, the file {shapes}; "
            "take the architecture and front end that they were trained with"
        )
    if any(array.dtype.kind != "f" for array in kept):
        raise TrainingError(f"weights {path} of layer {layer.name!r} are not floating-point numbers")
    return [np.asarray(array[()], dtype=np.float32) for array in kept]
