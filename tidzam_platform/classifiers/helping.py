"""The part of a worker that does not lead in a training on several machines: it computes, and keeps nothing."""

from __future__ import annotations

import json

from tidzam_platform.classifiers.training import Epoch, Resumable
from tidzam_platform.classifiers.training.distributed import joined
from tidzam_platform.classifiers.training_plan import OneExpert, Plan, Watcher
from tidzam_platform.errors import SettingsError
from tidzam_platform.home import Home


def help_training(home: Home, watcher: Watcher | None = None) -> str:
    """Wait for the worker that leads, train along with it, and return the dataset version that it was.

    The home must hold what the leading worker's does: the same catalog and store, or a copy. Nothing is written.

    Raises:
        SettingsError: the settings name no other workers, or this is the one that leads.
        TrainingError: the others did not come, a worker was lost, or would train something else.
        DatasetError: the home has no such dataset version.
    """
    watcher = watcher or Watcher()
    training = home.settings.training
    if len(training.workers) <= 1:
        raise SettingsError(
            "training.workers names no other worker: give all workers the same list of host:port, and each its own "
            "training.worker (docs/classifiers.md)"
        )
    if training.worker == 0:
        raise SettingsError(
            "training.worker is 0, which leads and runs ./tidzam generation run: the others count from 1"
        )

    def told(epoch: Epoch) -> None:
        watcher.epoch_ended(epoch, training.max_epochs)

    with joined(training) as team:
        job = json.loads(team.share(b""))
        only = OneExpert(**job["only"]) if job["only"] else None
        plan = Plan.of(home, job["dataset"], only)
        team.require_same(plan.fingerprint)
        plan.train(home, watcher, told, Resumable(home.settings.home / "training", plan.fingerprint))
    return str(job["dataset"])
