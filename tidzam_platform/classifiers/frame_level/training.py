"""Training of a frame-level model on TFRecord files, and its figures on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.frame_level.figures import hit_at_1, mean_average_precision
from tidzam_platform.classifiers.frame_level.models import build_frame_level
from tidzam_platform.classifiers.frame_level.reader import AUDIOSET_CLASSES, read_examples, reading
from tidzam_platform.errors import DatasetError


@dataclass(frozen=True)
class FrameLevelSettings:
    """How long and how fast to train."""

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class FrameLevelResult:
    """A trained model with its figures on the evaluation files.

    Attributes:
        model: Keras model, see ``models``.
        train_losses: mean binary cross-entropy of each epoch, in nats per clip and class.
        hit_at_1: share of clips whose highest score is right.
        mean_average_precision: mean over the classes that occur.
    """

    model: Any
    train_losses: tuple[float, ...]
    hit_at_1: float
    mean_average_precision: float


def train_frame_level(
    files: Sequence[Path],
    evaluation_files: Sequence[Path],
    *,
    model: str = "logistic",
    classes: int = AUDIOSET_CLASSES,
    settings: FrameLevelSettings | None = None,
    on_epoch: Callable[[int, float], None] = lambda _number, _loss: None,
) -> FrameLevelResult:
    """Train on ``files``, evaluate on ``evaluation_files``. Same input, same result on CPU.

    Args:
        files: TFRecord files of AudioSet's layout, of the balanced or the unbalanced set.
        evaluation_files: likewise.
        model: name in ``MODELS``.
        classes: labels lie below this number.
        settings: the defaults if not given.
        on_epoch: is told the number of each epoch, from 1, and its loss.

    Raises:
        DatasetError: a file is missing, damaged, empty or of another layout.
        TrainingError: no such model, or no evaluation clip has a label.
    """
    settings = settings or FrameLevelSettings()
    keras = load_keras()
    keras.utils.set_random_seed(settings.seed)
    network = build_frame_level(model, classes)
    trainer = keras.Model(network.input, network.get_layer("logits").output)
    trainer.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    examples = read_examples(
        files, classes=classes, batch_size=settings.batch_size, shuffle_seed=settings.seed
    )
    losses = []
    for number in range(1, settings.epochs + 1):
        losses.append(_epoch(trainer, examples, files))
        on_epoch(number, losses[-1])
    scores, labels = _scores(network, evaluation_files, classes, settings.batch_size)
    return FrameLevelResult(
        network, tuple(losses), hit_at_1(scores, labels), mean_average_precision(scores, labels)
    )


def _epoch(trainer: Any, examples: Any, files: Sequence[Path]) -> float:
    """One pass; its mean loss. By batches, since Keras's ``fit`` warns about data whose length nobody knows."""
    trainer.reset_metrics()
    loss = None
    with reading(files):
        for batch in examples.as_numpy_iterator():
            inputs = {"frames": batch["frames"], "mask": batch["mask"]}
            loss = trainer.train_on_batch(inputs, batch["labels"])  # the mean of the pass so far
    if loss is None:
        raise DatasetError(f"{files[0]} and the other training files hold no clips; name files that do")
    return float(loss)


def _scores(
    network: Any, files: Sequence[Path], classes: int, batch_size: int
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """Scores and labels of all clips, float32 ``[clips, classes]`` each."""
    scores, labels = [], []
    with reading(files):
        for batch in read_examples(files, classes=classes, batch_size=batch_size).as_numpy_iterator():
            scored = network({"frames": batch["frames"], "mask": batch["mask"]}, training=False)
            scores.append(load_keras().ops.convert_to_numpy(scored))
            labels.append(batch["labels"])
    empty = np.zeros((0, classes), np.float32)
    return np.concatenate([empty, *scores]), np.concatenate([empty, *labels])
