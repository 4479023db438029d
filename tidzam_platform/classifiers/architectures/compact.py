"""The compact default, a small CNN that two processor cores can train in minutes, and its sizes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import (
    NORM_MOMENTUM,
    as_image,
    embedding_layer,
    patches_input,
)
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

# Filters of the blocks; each block halves time and frequency. The first is narrow, since it sees the most pixels.
BLOCK_FILTERS: Final = (16, 32, 64, 96)
NARROW: Final = (8, 16, 32, 48)
WIDE: Final = (24, 48, 96, 144)
SHALLOW: Final = (16, 32, 64)
DEEP: Final = (16, 32, 64, 96, 128)
DROPOUT: Final = 0.3
STATISTICS_UNITS: Final = 64
_LEAST_VARIANCE: Final = 1e-3  # keeps the root's gradient finite where a band stands still


def build(
    front_end: FrontEnd, block_filters: Sequence[int] = BLOCK_FILTERS, *, statistics: bool = True
) -> Any:
    """Convolution blocks (3 x 3, batch normalisation, ReLU, stride 2), pooled over time by mean and maximum.

    With ``statistics`` beside them goes what every older classifier begins with, statistics of the bands over the
    window: hardly any arithmetic, and what a hundred clips can teach it. On field clips the log-loss fell by a tenth.
    """
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, filters in enumerate(block_filters):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"block{index}_conv")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"block{index}_norm")(x)
        x = layers.ReLU(name=f"block{index}_relu")(x)
    # What happened (maximum) and how much of it (mean); then frequency, which carries meaning, is kept coarse.
    pooled = ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    x = layers.Flatten(name="pooled")(pooled)
    if statistics:
        x = layers.Concatenate(name="joined")([x, _statistics(patches)])
    return keras.Model(patches, embedding_layer(96)(layers.Dropout(DROPOUT, name="pooled_dropout")(x)))


def _statistics(patches: Any) -> Any:
    """Of each band its mean, its deviation and how fast it changes, through a dense layer: ``[batch, units]``."""
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    deviation = ops.sqrt(ops.var(patches, axis=1) + _LEAST_VARIANCE)
    change = ops.sqrt(ops.mean(ops.square(patches[:, 1:] - patches[:, :-1]), axis=1) + _LEAST_VARIANCE)
    x = ops.concatenate([ops.mean(patches, axis=1), deviation, change], axis=-1)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name="statistics_norm")(x)
    x = layers.Dropout(DROPOUT, name="statistics_dropout")(x)
    return layers.Dense(STATISTICS_UNITS, activation="relu", name="statistics_dense")(x)
