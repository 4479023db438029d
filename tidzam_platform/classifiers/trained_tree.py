"""A trained tree of experts: trunks, heads, calibration and thresholds, and how they are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.architectures import build_trunk
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.front_end import FrontEnd, level_dbfs, log_mel, normalise
from tidzam_platform.classifiers.heads import HEADS
from tidzam_platform.classifiers.network import SHARED, TreeNetwork, trunk_of, weights_of
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.tree.activation import Activation
from tidzam_platform.classifiers.tree.scores import node_scores
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import TrainingError
from tidzam_platform.store import ObjectStore

FORMAT: Final = 2
DENSE_HEAD: Final = "linear"  # what a Dense layer is kept as
_DESCRIPTION: Final = "tree.json"


@dataclass(frozen=True)
class Trunk:
    """A network from normalised patches to an embedding."""

    architecture: str
    model: Any


@dataclass(frozen=True)
class Head:
    """What gives an expert's logits from an embedding, and how sure they are taken to be.

    Attributes:
        kind: name in ``heads.HEADS``.
        arrays: its parameters.
        temperature: its logits are divided by this (Guo 2017).
    """

    kind: str
    arrays: Mapping[str, npt.NDArray[Any]]
    temperature: float = 1.0

    def probabilities(self, embedding: Any, activation: Activation) -> Any:
        """Calibrated probabilities of the expert's outputs, float32 ``[batch, outputs]``."""
        return activation.probabilities(HEADS[self.kind].apply(self.arrays, embedding), self.temperature)


@dataclass(frozen=True)
class TrainedTree:
    """Everything that a generation needs to hear.

    Attributes:
        spec: the tree.
        front_end: parameters that all weights were trained with.
        trunks: by ``SHARED`` or the name of the expert that has its own.
        heads: by expert.
        thresholds: of each node, the least score at which it is an answer.
        origins: by expert, where it comes from: ``dataset_version``, ``code_version`` and ``fingerprint``.
    """

    spec: TreeSpec
    front_end: FrontEnd
    trunks: Mapping[str, Trunk]
    heads: Mapping[str, Head]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of_network(
        cls, spec: TreeSpec, front_end: FrontEnd, network: TreeNetwork, architecture: str
    ) -> TrainedTree:
        """What a training left, its dense heads as arrays."""
        architectures = {SHARED: architecture} | {
            trunk_of(expert): expert.architecture or architecture for expert in spec.experts
        }
        heads = {}
        for name, layer in network.heads.items():
            kernel, bias = weights_of(layer)
            heads[name] = Head(DENSE_HEAD, {"kernel": kernel, "bias": bias})
        trunks = {name: Trunk(architectures[name], model) for name, model in network.trunks.items()}
        return cls(spec, front_end, trunks, heads)

    @cached_property
    def hearing(self) -> Any:
        """Keras model from log-mel patches ``[batch, frames, bands]`` to ``scores`` and ``embedding``."""
        keras = load_keras()
        patches = keras.Input((self.front_end.patch_frames, self.front_end.bands), name="log_mel")
        return keras.Model(patches, self._judge(patches), name="tidzam_patches")

    def embedder(self, trunk: str) -> Any:
        """Keras model from log-mel patches to the embedding of one trunk."""
        keras = load_keras()
        patches = keras.Input((self.front_end.patch_frames, self.front_end.bands), name="log_mel")
        return keras.Model(patches, self.trunks[trunk].model(normalise(patches, self.front_end)))

    def clip_scores(self, clips: Sequence[ClipFeatures]) -> npt.NDArray[np.float64]:
        """Scores of all nodes for each clip, the mean over its windows (soft vote), float64 ``[clips, nodes]``."""
        patches = patches_on_grid(clips, self.front_end)
        answers = predict(self.hearing, patches)
        return mean_by_clip(np.asarray(answers["scores"]), clips)

    def serving_model(self) -> Any:
        """Keras model from ``audio`` float32 ``[batch, samples]`` to ``scores``, ``embedding`` and ``level_dbfs``."""
        keras = load_keras()
        audio = keras.Input((self.front_end.window_frames,), name="audio")
        answers = self._judge(log_mel(audio, self.front_end))
        return keras.Model(audio, {**answers, "level_dbfs": level_dbfs(audio)}, name="tidzam")

    def _judge(self, patches: Any) -> dict[str, Any]:
        """Front end and shared trunk are computed once, whatever the number of experts."""
        normalised = normalise(patches, self.front_end)
        embeddings = {name: trunk.model(normalised) for name, trunk in self.trunks.items()}
        probabilities = {
            expert.name: self.heads[expert.name].probabilities(
                embeddings[trunk_of(expert)], self.spec.activation
            )
            for expert in self.spec.experts
        }
        first = embeddings[trunk_of(self.spec.experts[0])]
        return {"scores": node_scores(self.spec, probabilities), "embedding": first}

    def save(self, store: ObjectStore, prefix: str) -> None:
        """Write all arrays, then the description: a tree whose description is there is whole."""
        for name, trunk in self.trunks.items():
            weights = {f"{index:04d}": value for index, value in enumerate(trunk.model.get_weights())}
            store.put_bytes(f"{prefix}/trunk_{name}.npz", _packed(weights))
        for name, head in self.heads.items():
            store.put_bytes(f"{prefix}/head_{name}.npz", _packed(head.arrays))
        description = {
            "format": FORMAT,
            "tree": self.spec.to_dict(),
            "front_end": self.front_end.to_dict(),
            "trunks": {name: trunk.architecture for name, trunk in self.trunks.items()},
            "heads": {
                name: {"kind": head.kind, "temperature": head.temperature}
                for name, head in self.heads.items()
            },
            "thresholds": dict(self.thresholds),
            "origins": {name: dict(origin) for name, origin in self.origins.items()},
        }
        store.put_bytes(f"{prefix}/{_DESCRIPTION}", json.dumps(description, indent=1).encode())

    @classmethod
    def load(cls, store: ObjectStore, prefix: str) -> TrainedTree:
        """Read a tree back; TrainingError if it is of another format or its weights do not fit."""
        description = json.loads(store.get_bytes(f"{prefix}/{_DESCRIPTION}"))
        if description.get("format") != FORMAT:
            raise TrainingError(
                f"classifier {prefix} has format {description.get('format')}, this code reads {FORMAT}; train it anew"
            )
        front_end = FrontEnd(**description["front_end"])
        trunks = {}
        for name, architecture in description["trunks"].items():
            model = build_trunk(architecture, front_end)
            weights = _unpacked(store.get_bytes(f"{prefix}/trunk_{name}.npz"))
            try:
                model.set_weights([weights[key] for key in sorted(weights)])
            except ValueError as error:
                raise TrainingError(
                    f"the weights of trunk {name} of {prefix} do not fit {architecture}: {error}; train it anew"
                ) from error
            trunks[name] = Trunk(architecture, model)
        heads = {
            name: Head(
                kept["kind"], _unpacked(store.get_bytes(f"{prefix}/head_{name}.npz")), kept["temperature"]
            )
            for name, kept in description["heads"].items()
        }
        return cls(
            TreeSpec.from_dict(description["tree"]),
            front_end,
            trunks,
            heads,
            description["thresholds"],
            description["origins"],
        )


def _packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def _unpacked(data: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
