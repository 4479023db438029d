"""The smallest: strided convolutions, for machines where a window must cost next to nothing."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import as_image, embedding_layer, patches_input
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

# Filters of the blocks; each block halves time and frequency. The first is narrow, since it sees the most pixels.
BLOCK_FILTERS: Final = (16, 32, 64, 96)
DROPOUT: Final = 0.3


def build(front_end: FrontEnd) -> Any:
    """Convolution blocks (3 x 3, batch normalisation, ReLU, stride 2), pooled over time by mean and maximum."""
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, filters in enumerate(BLOCK_FILTERS):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"block{index}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{index}_norm")(x)
        x = layers.ReLU(name=f"block{index}_relu")(x)
    # What happened (maximum) and how much of it (mean); then frequency, which carries meaning, is kept coarse.
    pooled = ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    x = layers.Flatten(name="pooled")(pooled)
    x = layers.Dropout(DROPOUT, name="pooled_dropout")(x)
    return keras.Model(patches, embedding_layer(96)(x))
