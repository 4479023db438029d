"""Mixed precision: layers compute in half precision, weights, embeddings, heads and the loss stay float32.

Micikevicius 2018. The normalisation of the front end stands before the layers and stays float32, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.network import TreeNetwork

_MIXED: Final = "mixed"


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made in this block compute in ``training.precision``; other models of the process do not."""
    keras = load_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy_of(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def policy_of(precision: str) -> str:
    """Keras's name of a precision; what ``mixed`` is follows from the hardware.

    On a GPU under TensorFlow it is float16: tensor cores since Volta have it, and all of TensorFlow's kernels. It has
    five bits of exponent, so Keras multiplies the loss to keep small gradients from vanishing, and skips a step
    whose gradients are not finite. Processors and JAX take bfloat16, which has the range of float32 and needs neither.
    """
    if precision != _MIXED:
        return precision
    on_tensorflow = load_keras().backend.backend() == "tensorflow"
    has_gpu = on_tensorflow and load_tensorflow().config.list_physical_devices("GPU")
    return "mixed_float16" if has_gpu else "mixed_bfloat16"


def copy_weights(network: TreeNetwork, into: TreeNetwork) -> Any:
    """The model of ``into``, with the weights of ``network`` in it; nothing is done where they are one."""
    if into is not network:
        into.model.set_weights(network.model.get_weights())
    return into.model
