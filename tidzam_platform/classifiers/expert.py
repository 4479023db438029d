"""A trained expert: its classes, front end, architecture and weights, and how they are kept."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.architectures import build_network
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.errors import TrainingError
from tidzam_platform.store import ObjectStore

FORMAT: Final = 1


@dataclass(frozen=True)
class Expert:
    """One classifier of the tree, e.g. ``selector``.

    Attributes:
        name: of the expert.
        outputs: class paths in the order of the network's logits.
        front_end: parameters that the weights were trained with.
        architecture: name in ``architectures``.
        network: Keras model, log-mel patches -> ``logits``, ``embedding``.
    """

    name: str
    outputs: tuple[str, ...]
    front_end: FrontEnd
    architecture: str
    network: Any

    def save(self, store: ObjectStore, prefix: str) -> None:
        """Write weights, then the description: an expert whose description is there is whole."""
        arrays = {f"{index:04d}": value for index, value in enumerate(self.network.get_weights())}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        store.put_bytes(f"{prefix}/weights.npz", buffer.getvalue())
        description = {
            "format": FORMAT,
            "name": self.name,
            "outputs": self.outputs,
            "front_end": self.front_end.to_dict(),
            "architecture": self.architecture,
        }
        store.put_bytes(f"{prefix}/expert.json", json.dumps(description, indent=1).encode())

    @classmethod
    def load(cls, store: ObjectStore, prefix: str) -> Expert:
        """Read an expert back; TrainingError if it is of another format or its weights do not fit."""
        description = json.loads(store.get_bytes(f"{prefix}/expert.json"))
        if description.get("format") != FORMAT:
            raise TrainingError(
                f"expert {prefix} has format {description.get('format')}, this code reads {FORMAT}"
            )
        front_end = FrontEnd(**description["front_end"])
        outputs = tuple(description["outputs"])
        network = build_network(description["architecture"], front_end, len(outputs))
        with np.load(io.BytesIO(store.get_bytes(f"{prefix}/weights.npz")), allow_pickle=False) as arrays:
            weights = [arrays[key] for key in sorted(arrays.files)]
        try:
            network.set_weights(weights)
        except ValueError as error:
            raise TrainingError(
                f"the weights of expert {prefix} do not fit its architecture: {error}"
            ) from error
        return cls(description["name"], outputs, front_end, description["architecture"], network)
