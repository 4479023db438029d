"""The train step of a batch that is split over replicas.

Keras's own ``fit`` does not go with several workers (keras#20585).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.training.checkpoint import assign, values
from tidzam_platform.classifiers.training.distributed.replicas import draws_of_their_own, normalise_over_all
from tidzam_platform.classifiers.training.distributed.team import Team
from tidzam_platform.errors import TrainingError


def epoch_fitter(model: Any, team: Team, batch_size: int) -> Callable[[Any], float]:
    """A function from the batches of an epoch to its mean loss in nats, which trains the compiled ``model`` on them.

    Raises:
        TrainingError: the batch cannot be split evenly.
    """
    if team.is_alone:
        return _KerasFit(model).fit
    if batch_size % team.replicas:
        raise TrainingError(
            f"training.batch_size is {batch_size}, which {team.replicas} replicas cannot share evenly: "
            f"take a multiple of {team.replicas}"
        )
    normalise_over_all(model)
    return _SplitFit(model, team, batch_size).fit


class _KerasFit:
    """Keras's own ``fit``, which leaves the weights where the last step put them.

    Where the optimiser keeps a running mean of the weights, Keras puts it in their place when ``fit`` ends. The next
    epoch would begin from weights that lag by hundreds of steps.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def fit(self, batches: Any) -> float:
        """Train on whole batches; returns the mean loss."""
        keras = load_keras()
        weights = self._model.trainable_variables
        live: list[Any] = []
        watch = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda _epoch, _logs: live.extend(values(weights))
        )
        fitted = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[watch])
        assign(weights, live)
        return float(fitted.history["loss"][-1])


class _SplitFit:
    """Trains a model whose variables were made in the scope of ``team``."""

    def __init__(self, model: Any, team: Team, batch_size: int) -> None:
        import tensorflow as tf

        self._model = model
        self._team = team
        self._batch_size = batch_size
        self._part = batch_size // team.replicas
        _sum_no_gradients(model.optimizer)
        self._step = tf.function(self._step_of_process, autograph=False)

    def fit(self, batches: Any) -> float:
        """Train on whole batches; every worker gives the same ones and learns from its part."""
        here = self._team.replicas_here
        own = slice(here.start * self._part, here.stop * self._part)
        parts = batches.map(lambda patches, targets: (patches[own], targets[own]))
        losses = []
        with draws_of_their_own(self._model, self._team):
            for patches, targets in parts:
                with self._team.together():
                    losses.append(self._step(patches, targets))
        with self._team.together():
            return float(np.mean([loss.numpy() for loss in losses], dtype=np.float64))

    def _step_of_process(self, patches: Any, targets: Any) -> Any:
        strategy = self._team.strategy
        return strategy.experimental_local_results(strategy.run(self._step_of_replica, (patches, targets)))[0]

    def _step_of_replica(self, patches: Any, targets: Any) -> Any:
        """One step; returns the mean loss of the whole batch."""
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        start = (replica.replica_id_in_sync_group - self._team.replicas_here.start) * self._part
        patches, targets = (values[start : start + self._part] for values in (patches, targets))
        model, optimizer = self._model, self._model.optimizer
        with tf.GradientTape() as tape:
            losses = model.loss(targets, model(patches, training=True))
            loss = tf.reduce_sum(losses) / self._batch_size
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        optimizer.apply(gradients, model.trainable_variables)
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, loss)


def _sum_no_gradients(optimizer: Any) -> None:
    """Let a Keras optimiser take gradients as they are.

    It would sum them itself, under a scaled loss in a branch where replicas do not meet, and only after each looked
    at its own for one that is not finite. Ours are summed before. Keras has no public switch for it.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = list  # noqa: SLF001 - see above
