"""MobileNetV2 (Sandler 2018) of Keras at a width of 0.35, on the patch as a grey picture.

ImageNet weights are Keras's own file ``mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5``, given to
``build_trunk`` as a ``WeightsFile``; nothing is fetched.
"""

from __future__ import annotations

from typing import Any, Final

from tidzam_platform.classifiers.architectures.blocks import NORM_MOMENTUM, as_image, patches_input
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd

WIDTH: Final = 0.35
MIN_SIZE: Final = 32  # of a picture's side, that MobileNetV2 takes
COLOURS: Final = 3


def build(front_end: FrontEnd) -> Any:
    """The patch three times, enlarged where it is smaller than 32, MobileNetV2, the mean: 1280 values."""
    keras = load_keras()
    layers = keras.layers
    patches = patches_input(front_end)
    image = as_image(patches)
    frames, bands = image.shape[1:3]
    if min(frames, bands) < MIN_SIZE:
        image = layers.Resizing(max(frames, MIN_SIZE), max(bands, MIN_SIZE), name="enlarged")(image)
    image = layers.Concatenate(name="colours")([image] * COLOURS)
    network = keras.applications.MobileNetV2(
        input_tensor=image, alpha=WIDTH, include_top=False, weights=None, pooling="avg"
    )
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM  # 0.999 is for the millions of pictures of ImageNet
    embedding = layers.Activation("linear", dtype="float32", name="embedding")(network.output)
    return keras.Model(patches, embedding)
