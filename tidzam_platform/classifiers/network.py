"""The network that is trained: a trunk that the experts share, trunks of their own, and a dense head for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.architectures import build_trunk
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd, normalise
from tidzam_platform.classifiers.tree.spec import ExpertSpec, TreeSpec

DROPOUT: Final = 0.3  # between embedding and head
SHARED: Final = "shared"


@dataclass(frozen=True)
class TreeNetwork:
    """Trunks and heads with one Keras model around them.

    Attributes:
        model: from log-mel patches float32 ``[batch, frames, bands]`` to the logits of all experts, one after the
            other, float32 ``[batch, outputs]``.
        trunks: by ``SHARED`` or the name of the expert that has its own; normalised patches to embedding.
        heads: Keras Dense layers by expert.
    """

    model: Any
    trunks: dict[str, Any]
    heads: dict[str, Any]


def trunk_of(expert: ExpertSpec) -> str:
    """Key of the trunk that an expert hears through."""
    return SHARED if expert.trunk == "shared" else expert.name


def build_network(spec: TreeSpec, front_end: FrontEnd, architecture: str) -> TreeNetwork:
    """A fresh network for the tree; draw its weights under a seed of your choice."""
    keras = load_keras()
    patches = keras.Input((front_end.patch_frames, front_end.bands), name="log_mel")
    normalised = normalise(patches, front_end)
    trunks: dict[str, Any] = {}
    embeddings: dict[str, Any] = {}
    heads, logits = {}, []
    for expert in spec.experts:
        key = trunk_of(expert)
        if key not in trunks:
            trunks[key] = build_trunk(expert.architecture or architecture, front_end)
            embeddings[key] = trunks[key](normalised)
        heads[expert.name] = keras.layers.Dense(
            len(expert.outputs), dtype="float32", name=f"head_{expert.name}"
        )
        dropped = keras.layers.Dropout(DROPOUT, dtype="float32", name=f"dropout_{expert.name}")(
            embeddings[key]
        )
        logits.append(heads[expert.name](dropped))
    joined = (
        keras.layers.Concatenate(dtype="float32", name="logits")(logits) if len(logits) > 1 else logits[0]
    )
    return TreeNetwork(keras.Model(patches, joined, name="tree"), trunks, heads)


def weights_of(layer: Any) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Weights of a model or layer as arrays that later training does not change."""
    return [np.array(weight) for weight in layer.get_weights()]
