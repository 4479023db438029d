"""Architectures by name, each a small file. A builder makes a Keras model from log-mel patches to logits.

The model's input is float32 ``[batch, frames, bands]`` (log-mel, not standardised); its outputs are a dict of
``logits`` ``[batch, classes]`` and ``embedding`` ``[batch, d]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tidzam_platform.classifiers.architectures import compact
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.errors import TrainingError

Builder = Callable[[FrontEnd, int], Any]
ARCHITECTURES: Final[dict[str, Builder]] = {"compact": compact.build}


def build_network(name: str, front_end: FrontEnd, classes: int) -> Any:
    """A fresh, untrained network; TrainingError if no architecture has that name."""
    try:
        builder = ARCHITECTURES[name]
    except KeyError:
        raise TrainingError(
            f"no architecture {name!r}; there are: {', '.join(sorted(ARCHITECTURES))}"
        ) from None
    return builder(front_end, classes)
