"""The training loop: seeded, stopped early on the validation side, resumed after kill -9 from its last epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tidzam_platform import crash_points
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.network import TreeNetwork, build_network
from tidzam_platform.classifiers.training.batch_statistics import CleanPatches, settle_batch_statistics
from tidzam_platform.classifiers.training.checkpoint import Arrays, Checkpoint, assign, values
from tidzam_platform.classifiers.training.distributed import Team, epoch_fitter, present_team
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.input import EpochInput
from tidzam_platform.classifiers.training.losses import tree_loss
from tidzam_platform.classifiers.training.memory import hold_freed_memory
from tidzam_platform.classifiers.training.precision import computing_in, copy_weights
from tidzam_platform.classifiers.training.validation import ValidationSet
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.settings import TrainingSettings

_WARM_UP_SHARE: Final = 0.05  # of all steps, from a twentieth of the learning rate
_NO_LOSS: Final = float("inf")


@dataclass(frozen=True)
class Epoch:
    """Losses of one epoch, in nats, ``validation_loss`` None without a validation side; the rate that it ended at."""

    number: int
    train_loss: float
    validation_loss: float | None
    learning_rate: float


@dataclass(frozen=True)
class Resumable:
    """Where a training keeps its state, and the fingerprint of all that decides its weights."""

    folder: Path
    fingerprint: str
    name: str = "training"

    @property
    def file(self) -> Path:
        """The checkpoint."""
        return self.folder / f"{self.name}.npz"

    def stage(self, name: str) -> Resumable:
        """Of one training among several that belong together."""
        return replace(self, name=name)

    def forget(self) -> None:
        """Remove the checkpoints of all stages: the result is kept elsewhere."""
        for file in self.folder.glob("*.npz"):
            file.unlink(missing_ok=True)


def train_network(
    spec: TreeSpec,
    clips: Sequence[ClipFeatures],
    front_end: FrontEnd,
    settings: TrainingSettings,
    *,
    start: TreeNetwork | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    resumable: Resumable | None = None,
) -> tuple[TreeNetwork, list[Epoch]]:
    """Train on the clips of the train side and keep the epoch that is best on the validation side.

    The weights that count are a running mean over the steps (Polyak 1992). Same input, same result on CPU;
    a training that was killed goes on from the epoch that ended last and gives the same result, too. Of several
    workers (``distributed.joined``) each calls this with the same arguments and gets the same network. With ``start``
    training goes on from the weights of that network, which stays as it is.

    Raises:
        TrainingError: the train side has no clip of the tree's classes; another worker is lost.
    """
    team = present_team(settings)
    keras = load_keras()
    hold_freed_memory()
    make_deterministic(settings.seed)
    examples = Examples.of(
        [clip for clip in clips if clip.side == "train"], spec, front_end, settings.background_classes
    )
    source = EpochInput(examples, front_end, settings)
    with team.scope(), computing_in(settings.precision):
        network = build_network(spec, front_end, settings.architecture)
        compile_network(keras, network, spec, settings, source.steps)
    if start is not None:
        assign(network.model.variables, values(start.model.variables))
    is_plain = team.is_alone and settings.precision == "float32"
    plain = network if is_plain else build_network(spec, front_end, settings.architecture)
    loop = _Loop(
        network,
        plain,
        team,
        source,
        CleanPatches.of(examples, settings),
        ValidationSet.of([clip for clip in clips if clip.side == "validation"], spec, front_end),
        settings,
        resumable,
    )
    return plain, loop.run(on_epoch)


def make_deterministic(seed: int) -> None:
    """Seed everything, and let TensorFlow take only operations that give the same result each time."""
    keras = load_keras()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def compile_network(
    keras: Any, network: TreeNetwork, spec: TreeSpec, settings: TrainingSettings, steps: int
) -> None:
    """Give the network its optimiser and loss; ``steps`` an epoch set the pace of the learning rate."""
    total = settings.max_epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 20,
        total,
        warmup_target=settings.learning_rate,
        warmup_steps=max(1, round(_WARM_UP_SHARE * total)),
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=settings.weight_decay, use_ema=True, ema_momentum=settings.weight_average
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = tree_loss(spec, smoothing=settings.label_smoothing, focal_gamma=settings.focal_gamma)
    network.model.compile(optimizer=optimizer, loss=loss)
    network.model.optimizer.build(network.model.trainable_variables)  # Keras may have wrapped ours


class _Loop:
    """One training from its start, or from where it was killed, to its end."""

    def __init__(
        self,
        network: TreeNetwork,
        plain: TreeNetwork,
        team: Team,
        source: EpochInput,
        clean: CleanPatches,
        validation: ValidationSet | None,
        settings: TrainingSettings,
        resumable: Resumable | None,
    ) -> None:
        self._network, self._plain = network, plain  # the second is float32 on one device: what will hear
        self._model = network.model
        self._team = team
        self._fit = epoch_fitter(network.model, team, settings.batch_size)
        self._source = source
        self._clean = clean
        self._validation = validation
        self._settings = settings
        self._resumable = resumable
        self._history: list[Epoch] = []
        self._best_loss, self._best_epoch = _NO_LOSS, 0
        self._best: Arrays = values(self._model.variables)
        self._first: Arrays = values(self._model.trainable_variables)

    def run(self, on_epoch: Callable[[Epoch], None]) -> list[Epoch]:
        self._resume()
        while not self._is_over():
            number = len(self._history) + 1
            train_loss = self._fit(self._source.batches(number))
            live = values(self._model.variables)
            self._take_the_mean(steps=int(self._model.optimizer.iterations.numpy()))
            self._settle()
            loss = self._validation_loss()
            if loss is None or loss < self._best_loss:  # without a validation side the last epoch is kept
                self._best_loss, self._best_epoch = _NO_LOSS if loss is None else loss, number
                self._best = values(self._model.variables)
            assign(self._model.variables, live)
            rate = float(self._model.optimizer.learning_rate)
            self._history.append(Epoch(number, train_loss, loss, rate))
            self._keep(live)
            on_epoch(self._history[-1])
            crash_points.reach("training.epoch")
        assign(self._model.variables, self._best)
        copy_weights(self._network, self._plain)
        return self._history

    def _settle(self) -> None:
        """Statistics of batch normalisation that go with the mean of the weights."""
        model = copy_weights(self._network, self._plain)
        settle_batch_statistics(model, self._clean)
        copy_weights(self._plain, self._network)

    def _validation_loss(self) -> float | None:
        if self._validation is None:
            return None
        model = copy_weights(self._network, self._plain)
        return self._team.share_number(self._validation.loss(model) if self._team.leads else _NO_LOSS)

    def _take_the_mean(self, steps: int) -> None:
        """Put the running mean of the weights in their place, without its share of the weights it began from."""
        weights = self._model.trainable_variables
        self._model.optimizer.finalize_variable_values(weights)
        share = self._settings.weight_average ** (
            steps - 1
        )  # the first step's weights stand for all before it
        if share < 1:
            for weight, first in zip(weights, self._first, strict=True):
                weight.assign((weight.numpy() - share * first) / (1 - share))

    def _is_over(self) -> bool:
        epochs = len(self._history)
        return epochs >= self._settings.max_epochs or epochs - self._best_epoch >= self._settings.patience

    def _keep(self, live: Arrays) -> None:
        if self._resumable and self._team.leads:
            notes = {"best_epoch": self._best_epoch, "history": [asdict(epoch) for epoch in self._history]}
            optimizer = values(self._model.optimizer.variables)
            fingerprint, epoch = self._resumable.fingerprint, len(self._history)
            Checkpoint(fingerprint, epoch, live, optimizer, self._best, notes).save(self._resumable.file)

    def _resume(self) -> None:
        file = self._resumable.file if self._resumable and self._team.leads else None
        kept = self._team.share(file.read_bytes() if file and file.exists() else b"")
        fingerprint = self._resumable.fingerprint if self._resumable else ""
        checkpoint = Checkpoint.read(kept, fingerprint) if kept else None
        if checkpoint is None:
            return
        assign(self._model.variables, checkpoint.variables)
        assign(self._model.optimizer.variables, checkpoint.optimizer)
        self._best = checkpoint.best
        self._history = [Epoch(**epoch) for epoch in checkpoint.notes["history"]]
        self._best_epoch = checkpoint.notes["best_epoch"]
        losses = [epoch.validation_loss for epoch in self._history if epoch.validation_loss is not None]
        self._best_loss = min(losses, default=_NO_LOSS)
