"""Architectures by name, each a small file. A builder makes the trunk of a classifier from a front end.

A name stands for the same layers for ever, since weights are kept under it: what is built otherwise gets another name.

A trunk is a Keras model from ``patches`` float32 ``[batch, patch_frames, bands]`` (log-mel after ``normalise``) to an
embedding float32 ``[batch, d]``. Every layer that holds weights has a name of its own, by which weights are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from tidzam_platform.classifiers.architectures import (
    compact,
    crnn,
    mobilenet,
    pooled,
    reference_cnn,
    resnet,
    sb_cnn,
    vggish,
)
from tidzam_platform.classifiers.architectures.weights import WeightsFile, load_weights, weight_arrays
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.errors import TrainingError

__all__ = [
    "ARCHITECTURES",
    "Builder",
    "WeightsFile",
    "build_trunk",
    "load_weights",
    "weight_arrays",
]

Builder = Callable[[FrontEnd], Any]
ARCHITECTURES: Final[dict[str, Builder]] = {
    "compact": compact.build,
    "crnn": crnn.build,
    "mobilenet": mobilenet.build,
    "pooled": pooled.build,
    "pooled_deep": partial(pooled.build, blocks=pooled.DEEP),
    "pooled_narrow": partial(pooled.build, blocks=pooled.NARROW),
    "pooled_shallow": partial(pooled.build, blocks=pooled.SHALLOW),
    "pooled_wide": partial(pooled.build, blocks=pooled.WIDE),
    "reference_cnn": reference_cnn.build,
    "resnet": resnet.build,
    "sb_cnn": sb_cnn.build,
    "vggish": vggish.build,
}


def build_trunk(name: str, front_end: FrontEnd, *, weights: WeightsFile | None = None) -> Any:
    """A fresh trunk, its weights drawn at random or read from a file.

    Raises:
        TrainingError: no architecture has that name, or the file does not fit it.
    """
    try:
        builder = ARCHITECTURES[name]
    except KeyError:
        raise TrainingError(
            f"no architecture {name!r}; there are: {', '.join(sorted(ARCHITECTURES))}"
        ) from None
    trunk = builder(front_end)
    if weights is not None:
        load_weights(trunk, weights)
    return trunk
