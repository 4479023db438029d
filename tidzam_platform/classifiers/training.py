"""Training of one expert: seeded, balanced, stopped early on the validation side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform import crash_points
from tidzam_platform.classifiers.architectures import build_network
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.expert import Expert
from tidzam_platform.classifiers.features import ClipFeatures, patches_on_grid
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.sampling import BalancedSampler
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import TrainingSettings

LABEL_SMOOTHING: Final = 0.05
WEIGHT_DECAY: Final = 1e-3
MIN_CLASSES: Final = 2
_PREDICT_BATCH: Final = 256


@dataclass(frozen=True)
class Epoch:
    """Mean cross-entropy of one epoch, in nats; ``validation_loss`` is nan without a validation side."""

    number: int
    train_loss: float
    validation_loss: float


def train_expert(
    name: str,
    clips: Sequence[ClipFeatures],
    front_end: FrontEnd,
    settings: TrainingSettings,
    *,
    architecture: str = "compact",
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> tuple[Expert, list[Epoch]]:
    """Train on the train side, stop by the validation side, keep the best epoch. Same input, same result on CPU.

    Raises:
        TrainingError: fewer than two classes on the train side.
    """
    keras = load_keras()
    train = [clip for clip in clips if clip.side == "train"]
    validation = [clip for clip in clips if clip.side == "validation"]
    outputs = tuple(sorted({path for clip in train for path in clip.class_paths}))
    if len(outputs) < MIN_CLASSES:
        raise TrainingError(
            f"{name}: the train side has {len(outputs)} class(es), at least {MIN_CLASSES} are needed; label more clips"
        )
    _make_deterministic(keras, settings.seed)
    network = build_network(architecture, front_end, len(outputs))
    trainer = _compile(keras, network, settings)
    sampler = BalancedSampler(train, outputs, front_end, settings.seed)
    checked = _validation_set(validation, outputs, front_end)
    history: list[Epoch] = []
    best_loss, best_weights, best_epoch = np.inf, network.get_weights(), 0
    for number in range(1, settings.max_epochs + 1):
        patches, labels = sampler.draw(settings.windows_per_epoch)
        fitted = trainer.fit(
            patches, _smooth(labels, len(outputs)), batch_size=settings.batch_size, verbose=0, shuffle=False
        )
        loss = _balanced_loss(network, checked) if checked else float("nan")
        history.append(Epoch(number, float(fitted.history["loss"][-1]), loss))
        on_epoch(history[-1])
        crash_points.reach("training.epoch")
        if not loss >= best_loss:  # nan without a validation side: the last epoch is kept
            best_loss, best_weights, best_epoch = loss, network.get_weights(), number
        elif number - best_epoch >= settings.patience:
            break
    network.set_weights(best_weights)
    return Expert(name, outputs, front_end, architecture, network), history


def predict_probabilities(network: Any, patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Softmax over the classes, float32 ``[patches, classes]``."""
    ops = load_keras().ops
    batches = [
        np.asarray(ops.softmax(network(patches[start : start + _PREDICT_BATCH], training=False)["logits"]))
        for start in range(0, len(patches), _PREDICT_BATCH)
    ]
    return np.concatenate(batches)


def _make_deterministic(keras: Any, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _compile(keras: Any, network: Any, settings: TrainingSettings) -> Any:
    """A model that gives logits only, with optimiser and loss; it shares the network's weights."""
    trainer = keras.Model(network.input, network.output["logits"])
    steps = settings.max_epochs * -(-settings.windows_per_epoch // settings.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 20,
        steps,
        warmup_target=settings.learning_rate,
        warmup_steps=max(1, steps // 20),
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)
    trainer.compile(optimizer=optimizer, loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    return trainer


def _smooth(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float32]:
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return one_hot * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / classes


@dataclass(frozen=True)
class _ValidationSet:
    patches: npt.NDArray[np.float32]
    clip_of_patch: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]  # by clip
    weights: npt.NDArray[np.float64]  # by clip: classes count alike


def _validation_set(
    clips: Sequence[ClipFeatures], outputs: tuple[str, ...], front_end: FrontEnd
) -> _ValidationSet | None:
    known = [clip for clip in clips if clip.class_paths[0] in outputs]
    if not known:
        return None
    labels = np.array([outputs.index(clip.class_paths[0]) for clip in known])
    counts = Counter(labels.tolist())
    weights = np.array([1 / counts[label] for label in labels.tolist()])
    clip_of_patch = np.repeat(np.arange(len(known)), [len(clip.offsets) for clip in known])
    return _ValidationSet(patches_on_grid(known, front_end), clip_of_patch, labels, weights / weights.sum())


def _balanced_loss(network: Any, checked: _ValidationSet) -> float:
    """Cross-entropy of the clips' mean probabilities, classes weighing alike, in nats."""
    probabilities = predict_probabilities(network, checked.patches)
    sums = np.zeros((len(checked.labels), probabilities.shape[1]))
    np.add.at(sums, checked.clip_of_patch, probabilities)
    mean = sums / np.bincount(checked.clip_of_patch)[:, np.newaxis]
    of_truth = mean[np.arange(len(mean)), checked.labels]
    return float(-(checked.weights * np.log(np.maximum(of_truth, 1e-9))).sum())
