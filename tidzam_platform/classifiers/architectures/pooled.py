"""The default: a small CNN that pools by maxima, beside statistics of the bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import (
    NORM_MOMENTUM,
    as_image,
    embedding_layer,
    patches_input,
)
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

DROPOUT: Final = 0.3
EMBEDDING_UNITS: Final = 96
STATISTICS_UNITS: Final = 64
_LEAST_VARIANCE: Final = 1e-3  # keeps the root's gradient finite where a band stands still


@dataclass(frozen=True)
class Block:
    """A convolution of ``kernel`` x ``kernel``, and the factors by which time and frequency are pooled after it."""

    filters: int
    kernel: int = 3
    pool: tuple[int, int] = (2, 2)


# Where a sound begins to the hundredth of a second tells little, which of its partials sounds a lot: time is pooled
# first, and the fine grid is seen by one wide, cheap layer only.
BLOCKS: Final = (Block(12, 5, (4, 2)), Block(32), Block(64), Block(96, pool=(1, 1)))
NARROW: Final = (Block(6, 5, (4, 2)), Block(16), Block(32), Block(48, pool=(1, 1)))
WIDE: Final = (Block(18, 5, (4, 2)), Block(48), Block(96), Block(144, pool=(1, 1)))
SHALLOW: Final = (Block(12, 5, (4, 2)), Block(32), Block(64, pool=(1, 1)))
DEEP: Final = (Block(12, 5, (4, 2)), Block(32), Block(64), Block(96), Block(128, pool=(1, 1)))


def build(front_end: FrontEnd, blocks: tuple[Block, ...] = BLOCKS) -> Any:
    """Blocks of convolution, maxima, batch normalisation and rectifier; then mean and maximum over time.

    Maxima keep a short call as loud as it was, wherever in its cell it falls; strides of the same cost lose it.
    """
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, block in enumerate(blocks):
        name = f"block{index}"
        x = layers.Conv2D(block.filters, block.kernel, padding="same", use_bias=False, name=f"{name}_conv")(x)
        if block.pool != (1, 1):  # before the normalisation, which then has an eighth to do
            x = layers.MaxPooling2D(block.pool, padding="same", name=f"{name}_pool")(x)
        x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    # What happened (maximum) and how much of it (mean); then frequency, which carries meaning, is kept coarse.
    pooled = layers.Flatten(name="pooled")(
        ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    )
    joined = layers.Concatenate(name="joined")([pooled, _statistics(patches)])
    dropped = layers.Dropout(DROPOUT, name="joined_dropout")(joined)
    return keras.Model(patches, embedding_layer(EMBEDDING_UNITS)(dropped))


def _statistics(patches: Any) -> Any:
    """Of each band its mean, its deviation and how fast it changes, through a dense layer: ``[batch, units]``.

    What every older classifier begins with: hardly any arithmetic, and what a hundred clips can teach it.
    """
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    deviation = ops.sqrt(ops.var(patches, axis=1) + _LEAST_VARIANCE)
    change = ops.sqrt(ops.mean(ops.square(patches[:, 1:] - patches[:, :-1]), axis=1) + _LEAST_VARIANCE)
    x = ops.concatenate([ops.mean(patches, axis=1), deviation, change], axis=-1)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, name="statistics_norm")(x)
    x = layers.Dropout(DROPOUT, name="statistics_dropout")(x)
    return layers.Dense(STATISTICS_UNITS, activation="relu", name="statistics_dense")(x)
