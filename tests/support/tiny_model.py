"""A model small enough to export and load in a blink, whose answers still depend on every sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.signature import ClassDescription, ModelDescription

RATE_HZ = 8000
WINDOW_FRAMES = 2000
EMBEDDING_WIDTH = 8
_SEGMENTS = 20


def description(generation: int) -> ModelDescription:
    """Three classes, one below another."""
    return ModelDescription(
        classes=(
            ClassDescription("birds", None, 0.5),
            ClassDescription("birds-chiffchaff", "birds", 0.6),
            ClassDescription("rain", None, 0.4),
        ),
        rate_hz=RATE_HZ,
        window_s=WINDOW_FRAMES / RATE_HZ,
        hop_s=WINDOW_FRAMES / RATE_HZ / 2,
        generation=generation,
        dataset_version=f"made-{generation}",
    )


def make_model(generation: int) -> Callable[[Any], Mapping[str, Any]]:
    """Band energies, a dense layer, sigmoids and the product over the tree; weights differ by generation."""
    from tidzam_platform.classifiers.backend import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    random = np.random.default_rng(generation)
    filters = tf.Variable(
        random.normal(size=(WINDOW_FRAMES // _SEGMENTS, EMBEDDING_WIDTH)).astype(np.float32)
    )
    dense = tf.Variable(random.normal(size=(EMBEDDING_WIDTH, 3)).astype(np.float32))

    def model(audio: Any) -> dict[str, Any]:
        segments = tf.reshape(audio, [-1, _SEGMENTS, WINDOW_FRAMES // _SEGMENTS])
        energies = tf.reduce_mean(tf.square(segments @ filters), axis=1)
        embedding = tf.math.log(energies + 1e-6)
        single = tf.sigmoid(embedding @ dense * 0.3)
        scores = single * tf.concat(
            [tf.ones_like(single[:, :1]), single[:, :1], tf.ones_like(single[:, :1])], 1
        )
        power = tf.reduce_mean(tf.square(audio), axis=1)
        level_dbfs = 10 / tf.math.log(10.0) * tf.math.log(power + 1e-12)
        return {"scores": scores, "embedding": embedding, "level_dbfs": level_dbfs}

    return model


def some_audio(rows: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise at different levels, float32 ``[rows, WINDOW_FRAMES]``."""
    random = np.random.default_rng(seed)
    levels = random.uniform(0.01, 0.3, size=(rows, 1))
    return (random.normal(size=(rows, WINDOW_FRAMES)) * levels).astype(np.float32)


def export_tiny(generation: int, folder: Path) -> None:
    """Export generation ``generation`` of the tiny model."""
    from serving.export import export_saved_model

    export_saved_model(make_model(generation), description(generation), folder, some_audio(4, seed=99))
