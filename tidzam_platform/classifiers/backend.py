"""Loading of Keras with the settings that all our code relies on: TensorFlow behind it, and quietly."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Final

from tidzam_platform.classifiers.optional_packages import without_packages

_SILENCE: Final = threading.RLock()
# Keras and LiteRT's converter load these where they are installed, for what we do not use: a third of the import's
# time and a quarter of its memory, in each process that serves or trains.
_NOT_NEEDED: Final = ("matplotlib", "sklearn")
_JAX: Final = "jax"


def load_keras() -> Any:
    """Import Keras (seconds, the first time); what the import prints is shown only if it fails."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        load_tensorflow()
    import keras

    return keras


def load_tensorflow(*, start_devices: bool = True) -> Any:
    """Import TensorFlow and let it look for its devices, without its remarks on what this machine has not."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    not_needed = _NOT_NEEDED if os.environ.get("KERAS_BACKEND") == _JAX else (*_NOT_NEEDED, _JAX)
    with silent_stderr(), without_packages(*not_needed):
        import tensorflow as tf

        if start_devices:
            tf.zeros(1)  # the first operation starts them
    tf.get_logger().addFilter(_is_for_users)
    return tf


def _is_for_users(record: logging.LogRecord) -> bool:
    """Not the advice about functions that are traced often: each model of a process has to be, once."""
    return "triggered tf.function retracing" not in str(record.msg)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Hold back what C++ libraries write to file descriptor 2; let it out if the block fails.

    One thread at a time: the descriptor is the whole process's.
    """
    with _SILENCE:
        yield from _held_back()


def _held_back() -> Iterator[None]:
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                os.write(2, held.read())
