"""One worker of a training that is split, or one process with several devices: run as a module.

``python -m tests.classifiers.training.split_here FOLDER SETTINGS`` trains without dropout, whose masks are the one
thing that differs, and leaves ``worker<number>.npz`` in FOLDER; each worker has a folder of its own for checkpoints.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.network import TreeNetwork, weights_of
from tidzam_platform.classifiers.training import Epoch, Resumable, train_network
from tidzam_platform.classifiers.training.distributed import Team, joined, present_team
from tidzam_platform.classifiers.training.distributed.replicas import draws_of_their_own
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import TrainingSettings

FINGERPRINT = "split"
SCALED = {"precision": "mixed_float16", "max_epochs": 1}  # float16 comes with a scaled loss


def train(
    settings: TrainingSettings,
    resumable: Resumable | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> tuple[TreeNetwork, list[Epoch]]:
    """A training whose result does not hang on how its batches are split."""
    with mock.patch.object(load_keras().layers.Dropout, "call", kept):
        return train_network(
            by_parent(CLASSES), made_clips(), TINY, settings, on_epoch=on_epoch, resumable=resumable
        )


def kept(_layer: Any, inputs: Any, training: bool = False) -> Any:
    """What a layer of dropout would do that drops nothing."""
    return inputs


def result_of(trained: TreeNetwork, history: list[Epoch]) -> dict[str, npt.NDArray[Any]]:
    """Weights and losses as arrays."""
    weights = {f"weight_{index:03d}": array for index, array in enumerate(weights_of(trained.model))}
    losses = np.array([(epoch.train_loss, epoch.validation_loss) for epoch in history])
    return {"losses": losses, **weights}


def as_worker(folder: Path, settings: TrainingSettings) -> None:
    own = folder / f"checkpoints{settings.worker}"
    with joined(settings) as team:
        team.require_same(FINGERPRINT)
        trained = train(settings, Resumable(own, FINGERPRINT))
        words = refusal(team, "one" if team.leads else "another")
    note = {"refusal": words, "epochs": [asdict(epoch) for epoch in trained[1]]}
    (folder / f"worker{settings.worker}.json").write_text(json.dumps(note))
    np.savez(folder / f"worker{settings.worker}.npz", **result_of(*trained))


def refusal(team: Team, fingerprint: str) -> str:
    """What a team says where its workers would train different things."""
    try:
        team.require_same(fingerprint)
    except TrainingError as error:
        return str(error)
    return ""


def with_devices(folder: Path, settings: TrainingSettings) -> None:
    """As many processors as the settings ask for devices."""
    tf = load_tensorflow(start_devices=False)
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * settings.devices,
    )
    np.savez(folder / "devices.npz", **result_of(*train(settings)))
    np.savez(folder / "scaled.npz", **result_of(*train(settings.model_copy(update=SCALED))))
    np.savez(folder / "masks.npz", **masks(present_team(settings)))


def masks(team: Team) -> dict[str, npt.NDArray[Any]]:
    """Masks of dropout of each replica, and its random state afterwards."""
    import tensorflow as tf

    keras = load_keras()
    with team.scope():
        inputs = keras.Input((100,))
        model = keras.Model(inputs, keras.layers.Dropout(0.5)(inputs))
    own = team.strategy.experimental_local_results
    run = lambda: team.strategy.run(lambda: model(tf.ones((1, 100)), training=True))  # noqa: E731
    drop = tf.function(run, autograph=False)
    (state,) = model.variables
    with draws_of_their_own(model, team):
        drawn = [mask.numpy() for mask in own(drop())]
    return {"masks": np.concatenate(drawn), "states": np.stack([copy.numpy() for copy in own(state.value)])}


if __name__ == "__main__":
    given = TrainingSettings.model_validate_json(sys.argv[2])
    try:
        (as_worker if given.workers else with_devices)(Path(sys.argv[1]), given)
    except TrainingError as told:
        sys.exit(f"TrainingError: {told}")
