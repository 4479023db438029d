"""Heads on frozen embeddings by name: what turns an embedding into probabilities without training a network.

``fit`` makes plain arrays, which are kept as npz; ``apply`` is written in Keras operations, so that it runs inside the
exported graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.heads import forest, linear

__all__ = ["HEADS", "Arrays", "Head"]

Arrays = dict[str, npt.NDArray[Any]]


class Fit(Protocol):
    """Learns a head.

    Args:
        embeddings: float32 ``[examples, d]``.
        labels: int64 ``[examples]``, 0 to ``classes`` - 1. A class without an example gets probability 0.
        classes: how many there are.
        weights: of the examples, float ``[examples]``, at least 0; alike if not given. Classes are balanced besides.
        seed: same input and seed, same arrays.

    Raises:
        TrainingError: the examples are malformed or of fewer than two classes.
    """

    def __call__(
        self,
        embeddings: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        classes: int,
        *,
        weights: npt.NDArray[np.floating[Any]] | None = None,
        seed: int,
    ) -> Arrays: ...


class Apply(Protocol):
    """Float32 ``[batch, d]`` -> probabilities float32 ``[batch, classes]``, rows of sum 1."""

    def __call__(self, arrays: Mapping[str, npt.NDArray[Any]], embedding: Any) -> Any: ...


@dataclass(frozen=True)
class Head:
    """The two halves of a kind of head."""

    fit: Fit
    apply: Apply


HEADS: Final[dict[str, Head]] = {
    "forest": Head(forest.fit, forest.apply),
    "linear": Head(linear.fit, linear.apply),
}
