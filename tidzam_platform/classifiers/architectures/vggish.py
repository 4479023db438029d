"""A narrow VGG with a 128-d embedding, after VGGish and the VGG of Hershey 2017."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import (
    as_image,
    conv_norm_relu,
    embedding_layer,
    patches_input,
)
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

# VGGish has (64, 128, 256 x 2, 512 x 2) and two dense layers of 4096, 72 million weights; a quarter as wide here.
BLOCKS: Final = ((16,), (32,), (64, 64), (128, 128))
DENSE: Final = 256
EMBEDDING: Final = 128


def build(front_end: FrontEnd) -> Any:
    """Four blocks of 3 x 3 convolutions (batch normalisation, as Hershey added it), each pooled by two, two dense."""
    keras = load_keras()
    layers = keras.layers
    patches = patches_input(front_end)
    x = as_image(patches)
    for block, widths in enumerate(BLOCKS):
        for index, filters in enumerate(widths):
            x = conv_norm_relu(x, filters, f"block{block}_{index}")
        x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(DENSE, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    return keras.Model(patches, embedding_layer(EMBEDDING)(x))
