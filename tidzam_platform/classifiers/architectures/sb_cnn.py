"""SB-CNN: three convolution blocks of 5 x 5 and a dense layer (Salamon and Bello 2016)."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import as_image, embedding_layer, patches_input
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

KERNEL: Final = 5
FILTERS: Final = (24, 48, 48)
POOLS: Final = (
    (4, 2),
    (4, 2),
)  # time and frequency, after the first two convolutions; for patches of 128 x 128
DROPOUT: Final = 0.5
L2: Final = 1e-3  # on the dense layers


def build(front_end: FrontEnd) -> Any:
    """The network of the paper up to its dense layer of 64, which is the embedding.

    Our patches are shorter than the paper's 3 s: convolutions keep the size, and an axis is pooled by the paper's
    factor only where as much as a kernel remains, else by two or not at all.
    """
    keras = load_keras()
    layers = keras.layers
    patches = patches_input(front_end)
    x = as_image(patches)
    for index, filters in enumerate(FILTERS):
        x = layers.Conv2D(filters, KERNEL, padding="same", activation="relu", name=f"conv{index}")(x)
        if index < len(POOLS):
            pool = tuple(
                _fitting(factor, size) for factor, size in zip(POOLS[index], x.shape[1:3], strict=True)
            )
            x = layers.MaxPooling2D(pool, padding="same", name=f"pool{index}")(x)
    x = layers.Dropout(DROPOUT, name="flat_dropout")(layers.Flatten(name="flat")(x))
    return keras.Model(patches, embedding_layer(64, kernel_regularizer=keras.regularizers.L2(L2))(x))


def _fitting(factor: int, size: int) -> int:
    return next((choice for choice in (factor, 2) if size // choice >= KERNEL), 1)
