"""From an expert to the model that serves: scores for every node of the class tree, front end included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.expert import Expert
from tidzam_platform.classifiers.front_end import level_dbfs, log_mel
from tidzam_platform.labels.class_paths import is_within, with_ancestors


def nodes_of(outputs: Sequence[str]) -> list[str]:
    """All classes that the tree answers for: the outputs and every class above one of them, ascending."""
    return with_ancestors(set(outputs))


def node_weights(outputs: Sequence[str]) -> npt.NDArray[np.float32]:
    """Matrix ``[outputs, nodes]`` of 0 and 1 that sums what lies within a node.

    A node's score is the probability that the sound is of it or of any class below, so that a parent never scores
    less than its child.
    """
    nodes = nodes_of(outputs)
    return np.array([[is_within(output, node) for node in nodes] for output in outputs], dtype=np.float32)


def serving_model(expert: Expert) -> Any:
    """Keras model from ``audio`` float32 ``[batch, samples]`` to ``scores``, ``embedding`` and ``level_dbfs``."""
    keras = load_keras()
    audio = keras.Input((expert.front_end.window_frames,), name="audio")
    network = expert.network(log_mel(audio, expert.front_end))
    probabilities = keras.ops.softmax(network["logits"])
    return keras.Model(
        audio,
        {
            "scores": keras.ops.matmul(probabilities, node_weights(expert.outputs)),
            "embedding": network["embedding"],
            "level_dbfs": level_dbfs(audio),
        },
        name="tidzam",
    )
