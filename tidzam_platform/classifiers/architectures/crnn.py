"""CRNN: convolutions that pool frequency, then a recurrent layer over time in both directions (Cakir 2017)."""

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

FILTERS: Final = (24, 32, 48)
POOLS: Final = ((2, 4), (1, 2), (1, 2))  # time and frequency; time only once, for the sake of cost
UNITS: Final = 48  # of the GRU, each direction
EMBEDDING: Final = 96


def build(front_end: FrontEnd) -> Any:
    """Three convolution blocks, a GRU forwards and one backwards, mean and maximum over time.

    Two layers rather than Keras's ``Bidirectional``: each layer then holds its own weights under its own name.
    """
    keras = load_keras()
    layers, ops = keras.layers, keras.ops
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, (filters, pool) in enumerate(zip(FILTERS, POOLS, strict=True)):
        x = conv_norm_relu(x, filters, f"block{index}")
        x = layers.MaxPooling2D(pool, padding="same", name=f"block{index}_pool")(x)
    _, steps, bands, filters = x.shape
    x = layers.Reshape((steps, bands * filters), name="steps")(x)
    forwards = layers.GRU(UNITS, return_sequences=True, name="forwards")(x)
    backwards = layers.GRU(UNITS, return_sequences=True, go_backwards=True, name="backwards")(x)
    x = ops.concatenate([forwards, ops.flip(backwards, axis=1)], axis=-1)
    pooled = ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    return keras.Model(patches, embedding_layer(EMBEDDING)(pooled))
