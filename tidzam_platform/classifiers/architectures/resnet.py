"""A narrow ResNet-18 (He 2016), with the mild stem that Hershey 2017 advises for spectrograms."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import (
    as_image,
    conv_norm,
    conv_norm_relu,
    embedding_layer,
    patches_input,
)
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

STAGES: Final = (16, 32, 64, 128)  # filters; a quarter of ResNet-18's
BLOCKS_IN_A_STAGE: Final = 2
EMBEDDING: Final = 128


def build(front_end: FrontEnd) -> Any:
    """A stem of stride 2 without pooling, four stages of two basic blocks, the mean over time and frequency."""
    keras = load_keras()
    patches = patches_input(front_end)
    x = conv_norm_relu(as_image(patches), STAGES[0], "stem", kernel=5, strides=2)
    for stage, filters in enumerate(STAGES):
        for block in range(BLOCKS_IN_A_STAGE):
            strides = 2 if stage > 0 and block == 0 else 1
            x = _basic_block(x, filters, f"stage{stage}_{block}", strides)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(patches, embedding_layer(EMBEDDING)(x))


def _basic_block(x: Any, filters: int, name: str, strides: int) -> Any:
    """Two 3 x 3 convolutions beside an identity, which becomes a 1 x 1 convolution where the shape changes."""
    layers = load_keras().layers
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = conv_norm(x, filters, f"{name}_shortcut", kernel=1, strides=strides)
    x = conv_norm_relu(x, filters, f"{name}_a", strides=strides)
    x = conv_norm(x, filters, f"{name}_b")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))
