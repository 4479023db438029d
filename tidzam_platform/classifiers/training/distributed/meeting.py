"""How the workers of a training find each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.classifiers.training.distributed.cluster import form_cluster, unused_context
from tidzam_platform.classifiers.training.distributed.health import HealthWatch
from tidzam_platform.classifiers.training.distributed.rendezvous import wait_for_all
from tidzam_platform.classifiers.training.distributed.team import ALONE, Team
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import TrainingSettings

_present: Final[ContextVar[Team | None]] = ContextVar("_present", default=None)


@contextlib.contextmanager
def joined(training: TrainingSettings) -> Iterator[Team]:
    """Meet the workers that the settings name, for the time of the block; ``ALONE`` where they name no other.

    TensorFlow must not have computed in this process. A worker whose block ended with an error should end: what the
    others wait for does not come.

    Raises:
        TrainingError: they did not come within ``worker_deadline_s``, were given other workers or run other versions;
            this one cannot listen at its address.
    """
    if len(training.workers) <= 1:
        yield ALONE
        return
    _require_tensorflow("several workers train")
    workers, index = training.workers, training.worker
    context = unused_context()
    wait_for_all(workers, index, training.devices, training.worker_deadline_s)
    strategy = form_cluster(context, workers, index, training.devices)
    others = {number: address for number, address in enumerate(workers) if number != index}
    health = HealthWatch(context, others, training.worker_deadline_s)
    team = Team(strategy, workers, index, health)
    before = _present.set(team)
    try:
        team.share(b"")  # all servers run once this is through
        health.ask_from_now()
        yield team
    finally:
        _present.reset(before)
        health.stop()


def present_team(training: TrainingSettings) -> Team:
    """Who trains now: the workers that met in ``joined``, else the devices of this machine, else one device alone.

    Raises:
        TrainingError: this machine has fewer devices than the settings ask for.
    """
    if (team := _present.get()) is not None:
        return team
    if training.devices == 1:
        return ALONE
    _require_tensorflow("several devices train")
    return Team(_strategy_of_devices(training.devices))


def _strategy_of_devices(count: int) -> Any:
    tf = load_tensorflow()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < count:
        kind = "GPU(s)" if devices[0].device_type == "GPU" else "processor device(s) and no GPU"
        raise TrainingError(
            f"training.devices is {count}, and this machine has {len(devices)} {kind}: lower it, or name other "
            "machines in training.workers"
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices[:count]])


def _require_tensorflow(what: str) -> None:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise TrainingError(f"{what} on TensorFlow only, and KERAS_BACKEND is {backend}: unset it")
