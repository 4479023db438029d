"""A SavedModel in memory, run by signature the way TensorFlow Serving runs it.

A graph and a Session rather than ``tf.saved_model.load``: the Session takes a time limit for each run,
fetches only what was asked for, and gives its memory back when it is closed instead of when the garbage
collector sees fit.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import ModelRepositoryError

_SERVE_TAG: Final = "serve"


class SavedModel:
    """A loaded SavedModel; many threads may call ``run`` at once, ``close`` comes after the last of them.

    Raises:
        ModelRepositoryError: the folder holds no SavedModel that this TensorFlow can load.
    """

    def __init__(self, folder: Path) -> None:
        load_tensorflow()
        import tensorflow as tf

        v1 = tf.compat.v1
        options = v1.ConfigProto(allow_soft_placement=True)
        options.gpu_options.allow_growth = True  # other processes may need the same GPU
        self._graph = tf.Graph()
        self._session = v1.Session(graph=self._graph, config=options)
        try:
            with _without_warnings("tensorflow"):  # it recommends tf.saved_model.load
                meta_graph = v1.saved_model.load(self._session, [_SERVE_TAG], str(folder))
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            self._session.close()
            raise ModelRepositoryError(f"{folder} holds no SavedModel that can be loaded: {error}") from error
        #: SignatureDef protos by name, as the file has them.
        self.signatures: dict[str, Any] = dict(meta_graph.signature_def)

    def run(
        self, signature: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str], timeout_s: float
    ) -> dict[str, NDArray[Any]]:
        """Run a signature.

        Args:
            signature: its name; it must be one of ``signatures``.
            inputs: array by input name, of the signature's type and shape.
            outputs: names of the outputs to compute; the others are not.
            timeout_s: the run is given up after this long.

        Raises:
            tf.errors.OpError: the graph failed, or took longer than ``timeout_s`` (DeadlineExceededError).
        """
        import tensorflow as tf

        definition = self.signatures[signature]
        fetches = [definition.outputs[name].name for name in outputs]
        feeds = {definition.inputs[name].name: array for name, array in inputs.items()}
        options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(timeout_s * 1000)))
        answers = self._session.run(fetches, feeds, options=options)
        return {name: np.asarray(answer) for name, answer in zip(outputs, answers, strict=True)}

    def close(self) -> None:
        """Give the memory of the weights back; no run may be under way. Closing twice is fine."""
        if self._session is not None:
            self._session.close()
            # The Session keeps its graph alive, and both hold most of what is left.
            self._session = self._graph = None


@contextlib.contextmanager
def _without_warnings(name: str) -> Iterator[None]:
    """Let the logger ``name`` say errors only."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
