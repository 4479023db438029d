"""Heads on frozen embeddings by name: what turns an embedding into logits without training a network.

A tree's ``activation`` makes probabilities of the logits. A head of single labels chooses between classes; one that
can also tell for each class by itself whether it is there has ``fit_independent``.

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


class FitIndependent(Protocol):
    """Learns a head of several labels.

    Args:
        embeddings: float32 ``[examples, d]``.
        yes: ``[examples, classes]``, weight at which an example has a class, at least 0.
        no: likewise, at which it does not. Where both are 0 nobody knows, and the example does not count for the
            class. A class that no example has, or none lacks, gets probability 0 or 1.
        seed: same input and seed, same arrays.

    Raises:
        TrainingError: the truths are malformed or name no class.
    """

    def __call__(
        self,
        embeddings: npt.NDArray[np.float32],
        yes: npt.NDArray[np.floating[Any]],
        no: npt.NDArray[np.floating[Any]],
        *,
        seed: int,
    ) -> Arrays: ...


class Apply(Protocol):
    """Float32 ``[batch, d]`` -> logits float32 ``[batch, classes]``."""

    def __call__(self, arrays: Mapping[str, npt.NDArray[Any]], embedding: Any) -> Any: ...


@dataclass(frozen=True)
class Head:
    """The halves of a kind of head; ``fit_independent`` is None if it knows single labels only."""

    fit: Fit
    apply: Apply
    fit_independent: FitIndependent | None = None


HEADS: Final[dict[str, Head]] = {
    "forest": Head(forest.fit, forest.apply),
    "linear": Head(linear.fit, linear.apply, linear.fit_independent),
}
