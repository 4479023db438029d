"""What the outputs of an expert mean together: where the two kinds of tree differ inside the graph.

In a tree of ``single`` labels an expert says which one of its classes sounds: a softmax. In a tree of ``multi`` labels
each output is a question of its own, whether the class sounds, given that the expert's class does: sigmoids. Logits
come from the same layers, and scores multiply along the tree in both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, Literal

from tidzam_platform.classifiers.backend import load_keras

Labels = Literal["single", "multi"]
"""How many classes a clip may have: one, or any number."""


class Activation(ABC):
    """From the logits of one expert to probabilities. Arrays, tensors of the backend and symbolic tensors of Keras."""

    @abstractmethod
    def probabilities(self, logits: Any, temperature: float = 1.0) -> Any:
        """Probability of each output within its expert, float32 ``[batch, outputs]`` in [0, 1].

        Args:
            logits: float32 ``[batch, outputs]``.
            temperature: that divides the logits (Guo 2017); above 1 makes less sure.
        """

    @abstractmethod
    def log_probabilities(self, logits: Any) -> Any:
        """Their natural logarithms, float32 ``[batch, outputs]``."""

    @abstractmethod
    def joined(self, probabilities: Any) -> Any:
        """Probability of classes that are no output, from the outputs nearest below each.

        Args:
            probabilities: float32 ``[batch, classes, most]``, filled up with zeros.

        Returns:
            float32 ``[batch, classes]`` in [0, 1].
        """


class _Softmax(Activation):
    """One class of each expert sounds: probabilities sum to 1, and what lies below a class adds up."""

    def probabilities(self, logits: Any, temperature: float = 1.0) -> Any:
        return load_keras().ops.softmax(logits / temperature, axis=-1)

    def log_probabilities(self, logits: Any) -> Any:
        return load_keras().ops.log_softmax(logits, axis=-1)

    def joined(self, probabilities: Any) -> Any:
        ops = load_keras().ops
        return ops.minimum(ops.sum(probabilities, axis=-1), 1.0)  # rounding may exceed 1 by a bit


class _Sigmoid(Activation):
    """Any number of classes sound. A class is as likely as the likeliest below it (Giunchiglia 2020).

    That is the least that a class above can score. To add up what outputs miss (1 minus the product of 1 minus each)
    would take them for independent, and many small doubts for one sure class.
    """

    def probabilities(self, logits: Any, temperature: float = 1.0) -> Any:
        return load_keras().ops.sigmoid(logits / temperature)

    def log_probabilities(self, logits: Any) -> Any:
        return load_keras().ops.log_sigmoid(logits)

    def joined(self, probabilities: Any) -> Any:
        return load_keras().ops.max(probabilities, axis=-1)


ACTIVATIONS: Final[dict[Labels, Activation]] = {"single": _Softmax(), "multi": _Sigmoid()}
