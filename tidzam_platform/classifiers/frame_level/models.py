"""YouTube-8M's frame-level models (Abu-El-Haija 2016) on embeddings of sound: multi-label, a sigmoid for each class.

Inputs ``frames`` float32 ``[batch, 10, 128]`` and ``mask`` bool ``[batch, 10]``; output ``scores`` float32
``[batch, classes]``. Widths are below the published ones, which were meant for 1152 values a frame of video.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.frame_level.reader import EMBEDDING_WIDTH, MAX_FRAMES
from tidzam_platform.errors import TrainingError

CLUSTERS: Final = 1024  # of DBoF; 8192 there
HIDDEN: Final = 512  # of DBoF; 1024 there
CELLS: Final = 256  # of each LSTM layer; 1024 there
LSTM_LAYERS: Final = 2
NORM_MOMENTUM: Final = 0.9

Pooling = Callable[[Any, Any], Any]


def _logistic(frames: Any, mask: Any) -> Any:
    """The mean of the frames."""
    ops = load_keras().ops
    there = ops.expand_dims(ops.cast(mask, "float32"), -1)
    return ops.sum(frames * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)


def _dbof(frames: Any, mask: Any) -> Any:
    """Deep bag of frames: every frame is projected to many clusters, the clip has the most of each, then one layer."""
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    x = layers.Dense(CLUSTERS, use_bias=False, name="clusters")(frames)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name="clusters_norm")(x, mask=mask)
    x = layers.ReLU(6.0, name="clusters_relu")(x)
    x = ops.max(x * ops.expand_dims(ops.cast(mask, "float32"), -1), axis=1)  # none is below 0
    x = layers.Dense(HIDDEN, use_bias=False, name="hidden")(x)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name="hidden_norm")(x)
    return layers.ReLU(6.0, name="hidden_relu")(x)


def _lstm(frames: Any, mask: Any) -> Any:
    """Two LSTM layers; the clip is what the second holds after the last frame."""
    layers = load_keras().layers
    x = frames
    for index in range(LSTM_LAYERS):
        more = index < LSTM_LAYERS - 1
        x = layers.LSTM(CELLS, return_sequences=more, name=f"lstm{index}")(x, mask=mask)
    return x


MODELS: Final[dict[str, Pooling]] = {"dbof": _dbof, "logistic": _logistic, "lstm": _lstm}


def build_frame_level(name: str, classes: int) -> Any:
    """A fresh model; its layer ``logits`` gives what the sigmoid takes.

    Raises:
        TrainingError: there is no model of that name.
    """
    if name not in MODELS:
        raise TrainingError(f"no frame-level model {name!r}; there are: {', '.join(sorted(MODELS))}")
    keras = load_keras()
    frames = keras.Input((MAX_FRAMES, EMBEDDING_WIDTH), name="frames")
    mask = keras.Input((MAX_FRAMES,), dtype="bool", name="mask")
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(MODELS[name](frames, mask))
    scores = keras.layers.Activation("sigmoid", dtype="float32", name="scores")(logits)
    return keras.Model({"frames": frames, "mask": mask}, scores)
