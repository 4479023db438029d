"""Building blocks that several architectures share."""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

NORM_MOMENTUM: Final = 0.9  # of running statistics; Keras's 0.99 wants more steps than our trainings have


def patches_input(front_end: FrontEnd) -> Any:
    """The input that every trunk has, ``patches`` float32 ``[batch, patch_frames, bands]``."""
    return load_keras().Input((front_end.patch_frames, front_end.bands), name="patches")


def as_image(patches: Any) -> Any:
    """A patch as a picture of one channel, ``[batch, patch_frames, bands, 1]``."""
    return load_keras().ops.expand_dims(patches, -1)


def conv_norm(x: Any, filters: int, name: str, *, kernel: int = 3, strides: int = 1) -> Any:
    """Convolution without bias and batch normalisation, as ``<name>_conv`` and ``<name>_norm``."""
    layers = load_keras().layers
    x = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}_norm")(x)


def conv_norm_relu(x: Any, filters: int, name: str, *, kernel: int = 3, strides: int = 1) -> Any:
    """``conv_norm`` and a rectifier."""
    x = conv_norm(x, filters, name, kernel=kernel, strides=strides)
    return load_keras().layers.ReLU(name=f"{name}_relu")(x)


def embedding_layer(units: int, **options: Any) -> Any:
    """The dense layer that ends a trunk; float32 even where the layers before it compute in half precision."""
    options = {"activation": "relu", "dtype": "float32", **options}
    return load_keras().layers.Dense(units, name="embedding", **options)
