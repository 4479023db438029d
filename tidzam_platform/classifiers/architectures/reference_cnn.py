"""The CNN that ours is measured against: 240,000 weights, of the kind that one writes first."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import as_image, embedding_layer, patches_input
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

FILTERS: Final = (32, 64, 128, 128)


def build(front_end: FrontEnd) -> Any:
    """Four 3 x 3 convolutions at full resolution, each followed by 2 x 2 pooling; global mean at the end."""
    keras = load_keras()
    layers = keras.layers
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, filters in enumerate(FILTERS):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"block{index}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{index}_norm")(x)
        x = layers.ReLU(name=f"block{index}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{index}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(patches, embedding_layer(64)(x))
