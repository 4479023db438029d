"""Files of weights as arrays by layer: npz and the two HDF5 layouts of Keras. Only arrays are read, never code."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tidzam_platform.errors import TrainingError


@dataclass(frozen=True)
class StoredWeights:
    """What a file holds.

    Attributes:
        layers: arrays (with ``shape``, ``dtype`` and ``[()]``, some of them still in the file) by layer.
        in_order: the layers stand in the order of the network that was saved.
    """

    layers: dict[str, list[Any]]
    in_order: bool = False


@contextlib.contextmanager
def open_weights(path: Path, content: bytes) -> Iterator[StoredWeights]:
    """The weights in ``content``, which was read from ``path``; its arrays can be read inside the block only.

    Raises:
        TrainingError: the format is not one that holds arrays alone, or the content is not of the format.
    """
    if path.suffix not in {".npz", ".h5"}:
        raise TrainingError(
            f"weights {path}: only .npz, .weights.h5 and .h5 are read; {path.suffix or 'other files'} may hold code. "
            "Save the weights alone, e.g. model.save_weights('trunk.weights.h5')"
        )
    with contextlib.ExitStack() as opened:
        try:
            if path.suffix == ".npz":
                stored = _read_npz(content)
            else:
                import h5py

                stored = _read_h5(opened.enter_context(h5py.File(io.BytesIO(content), "r")))
            yield stored  # arrays of HDF5 are read in there
        except (
            OSError,
            KeyError,
            ValueError,
            RuntimeError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise TrainingError(f"weights {path} are damaged or hold no weights of Keras: {error}") from error


def _read_npz(content: bytes) -> StoredWeights:
    """Arrays named ``<layer>/<index>``, as ``weight_arrays`` names them."""
    by_layer: dict[str, dict[int, Any]] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is no npz archive")  # noqa: TRY004 - wrong content, no wrong type
        for key in archive.files:
            layer, _, index = key.rpartition("/")
            by_layer.setdefault(layer, {})[int(index)] = archive[key]
    return StoredWeights(
        {layer: [arrays[i] for i in range(len(arrays))] for layer, arrays in by_layer.items()}
    )


def _read_h5(root: Any) -> StoredWeights:
    if "layers" in root:  # Keras 3, .weights.h5
        return StoredWeights(dict(_layers_of_keras_3(root)))
    group = (
        _child(root, "model_weights") if "model_weights" in root else root
    )  # a whole model, or weights alone
    layers = {}
    for name in _strings(group, "layer_names"):
        layer = _child(group, name)
        arrays = [_dataset(layer, weight) for weight in _strings(layer, "weight_names")]
        if arrays:
            layers[name] = arrays
    if not layers:
        raise ValueError("it names no layers with weights")
    return StoredWeights(layers, in_order=True)


def _layers_of_keras_3(model: Any) -> Iterator[tuple[str, list[Any]]]:
    """Layers stand in groups named after their class; the name of the layer is an attribute."""
    container = _child(model, "layers")
    for key in container:
        layer = _child(container, key)
        if "layers" in layer:
            yield from _layers_of_keras_3(layer)
            continue
        owners = list(_variables(layer))
        if len(owners) > 1:
            raise ValueError(f"layer {key} is made of several layers, whose order the file does not tell")
        if owners:
            yield str(_child(layer, "vars").attrs["name"]), owners[0]


def _variables(group: Any) -> Iterator[list[Any]]:
    """The variables of a layer, or of the one layer inside it (the cell of a recurrent layer)."""
    for key in group:
        member = _child(group, key)
        if key == "vars":
            if len(member):
                yield [_dataset(member, str(index)) for index in range(len(member))]
        elif hasattr(member, "keys"):
            yield from _variables(member)


def _strings(group: Any, attribute: str) -> list[str]:
    """A list of names; one that is too long for HDF5 is spread over attributes numbered from 0."""
    parts = [attribute] if attribute in group.attrs else []
    while not parts or parts[-1] != attribute:
        numbered = f"{attribute}{len(parts)}"
        if numbered not in group.attrs:
            break
        parts.append(numbered)
    return [
        name.decode() if isinstance(name, bytes) else str(name)
        for part in parts
        for name in group.attrs[part]
    ]


def _child(group: Any, name: str) -> Any:
    """A member of a group that lies in this very file: links may lead to any other file of the machine."""
    import h5py

    for part in filter(None, name.split("/")):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise KeyError(f"{part} is missing or a link")
        group = group[part]
    return group


def _dataset(group: Any, name: str) -> Any:
    import h5py

    dataset = _child(group, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise KeyError(f"{name} is no array of this file")
    return dataset
