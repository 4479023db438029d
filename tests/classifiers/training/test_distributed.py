"""Two workers on loopback train as one does, one that is killed is told by the other, and a restart goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.classifiers.training.split_here import FINGERPRINT, SCALED, result_of, train
from tidzam_platform.classifiers.training import Resumable
from tidzam_platform.classifiers.training.checkpoint import Checkpoint
from tidzam_platform.errors import TrainingError
from tidzam_platform.operations.ports import free_port
from tidzam_platform.settings import PROJECT_ROOT, TrainingSettings

QUICK = TrainingSettings(max_epochs=3, patience=3, windows_per_epoch=256, batch_size=32, learning_rate=1e-3)
DEADLINE_S = 240.0  # on a machine that others use too; alone it takes ten
# Sums in another order differ in the last digit, and each step of training makes more of it: Adam divides a gradient
# that is hardly there by its own size. So the loss of the first steps is nearly the same, the weights after them less.
FIRST_STEPS_RTOL = 2e-5
FIRST_EPOCH_RTOL = 1e-3
LATER_RTOL = 1e-2
HALF_RTOL = 2e-2  # of the losses of an epoch in float16


@dataclass(frozen=True)
class Ended:
    """A process that ended."""

    code: int
    stderr: str


def start(folder: Path, settings: TrainingSettings, crash_at: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.classifiers.training.split_here", folder, settings.model_dump_json()],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TIDZAM_CRASH_AT": crash_at},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[Ended]:
    """Wait for all; one that does not end is killed, and fails the test."""
    try:
        return [Ended(process.returncode, errors) for process, errors in map(_ended, processes)]
    finally:
        for process in processes:
            process.kill()


def _ended(process: subprocess.Popen[str]) -> tuple[subprocess.Popen[str], str]:
    return process, process.communicate(timeout=DEADLINE_S)[1]


def two_workers() -> list[TrainingSettings]:
    addresses = tuple(f"127.0.0.1:{free_port()}" for _ in range(2))
    return [
        QUICK.model_copy(update={"workers": addresses, "worker": index, "worker_deadline_s": DEADLINE_S})
        for index in range(2)
    ]


def run_two(folder: Path, crash_at: dict[int, str] | None = None) -> list[Ended]:
    crash_at = crash_at or {}
    return finish([start(folder, one, crash_at.get(one.worker, "")) for one in two_workers()])


def checkpoint_of(folder: Path, worker: int) -> Checkpoint | None:
    return Checkpoint.load(Resumable(folder / f"checkpoints{worker}", FINGERPRINT).file, FINGERPRINT)


@dataclass(frozen=True)
class Whole:
    """What two workers did."""

    folder: Path
    ended: list[Ended]

    def result(self, worker: int) -> dict[str, Any]:
        with np.load(self.folder / f"worker{worker}.npz", allow_pickle=False) as arrays:
            return dict(arrays)


@dataclass(frozen=True)
class KilledAndRestarted(Whole):
    """What two workers did when started again after one was killed at the end of the first epoch.

    ``killed``: what they did before; ``kept``: the checkpoint of then.
    """

    killed: list[Ended]
    kept: Checkpoint | None


@pytest.fixture(scope="module")
def killed_and_restarted(tmp_path_factory: pytest.TempPathFactory) -> KilledAndRestarted:
    folder = tmp_path_factory.mktemp("workers")
    killed = run_two(folder, {1: "training.epoch:1"})
    kept = checkpoint_of(folder, 0)
    shutil.copytree(folder / "checkpoints0", folder / "after_the_kill")
    return KilledAndRestarted(folder, run_two(folder), killed, kept)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Two workers from beginning to end."""
    folder = tmp_path_factory.mktemp("whole")
    return Whole(folder, run_two(folder))


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return result_of(*train(QUICK))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_loss_of_a_worker_is_told_and_its_last_epoch_is_kept(
    killed_and_restarted: KilledAndRestarted,
) -> None:
    leading, killed = killed_and_restarted.killed
    assert killed.code == -signal.SIGKILL
    assert leading.code == 1
    told = leading.stderr.strip().splitlines()[-1]
    assert "TrainingError: worker 1 (127.0.0.1:" in told
    assert "start all workers again" in told
    assert "Traceback" not in leading.stderr
    assert killed_and_restarted.kept is not None
    assert killed_and_restarted.kept.epoch == 1


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_workers_learn_what_one_learns(whole: Whole, alone: dict[str, Any]) -> None:
    assert [ended.code for ended in whole.ended] == [0, 0], whole.ended
    for worker in (0, 1):
        _assert_alike(whole.result(worker), alone)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_workers_learn_what_one_learns_though_one_was_killed_between(
    killed_and_restarted: KilledAndRestarted, alone: dict[str, Any]
) -> None:
    assert [ended.code for ended in killed_and_restarted.ended] == [0, 0], killed_and_restarted.ended
    for worker in (0, 1):
        _assert_alike(killed_and_restarted.result(worker), alone)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_worker_can_go_on_alone(
    killed_and_restarted: KilledAndRestarted, alone: dict[str, Any], tmp_path: Path
) -> None:
    folder = shutil.copytree(killed_and_restarted.folder / "after_the_kill", tmp_path / "kept")
    numbers: list[int] = []
    trained = train(QUICK, Resumable(folder, FINGERPRINT), lambda epoch: numbers.append(epoch.number))
    assert numbers == [2, 3]
    _assert_alike(result_of(*trained), alone)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_workers_end_with_equal_weights_and_only_the_leading_one_writes_checkpoints(whole: Whole) -> None:
    leading, other = (whole.result(worker) for worker in (0, 1))
    for name, values in leading.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)
    assert checkpoint_of(whole.folder, 0) is not None
    assert not (whole.folder / "checkpoints1").exists()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_all_workers_refuse_to_train_different_things(whole: Whole) -> None:
    notes = [json.loads((whole.folder / f"worker{worker}.json").read_text()) for worker in (0, 1)]
    assert notes[0] == notes[1]
    assert "would train something else" in notes[0]["refusal"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_devices_of_one_machine_learn_what_one_learns(tmp_path: Path, alone: dict[str, Any]) -> None:
    [ended] = finish([start(tmp_path, QUICK.model_copy(update={"devices": 2}))])
    assert ended.code == 0, ended.stderr[-3000:]
    with np.load(tmp_path / "devices.npz", allow_pickle=False) as arrays:
        _assert_alike(dict(arrays), alone)
    scaled = QUICK.model_copy(update=SCALED)
    with np.load(tmp_path / "scaled.npz", allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["losses"], result_of(*train(scaled))["losses"], rtol=HALF_RTOL)
    with np.load(tmp_path / "masks.npz", allow_pickle=False) as arrays:
        masks, states = arrays["masks"], arrays["states"]
    assert (masks[0] != masks[1]).any(), "replicas drop the same values"
    np.testing.assert_array_equal(states[0], states[1])


@pytest.mark.long  # as the loss of another one, but for who is lost
@pytest.mark.timeout(900)
def test_the_loss_of_the_leading_worker_is_told(tmp_path: Path) -> None:
    killed, other = run_two(tmp_path, {0: "training.epoch:2"})
    assert killed.code == -signal.SIGKILL
    assert other.code == 1
    assert "TrainingError: worker 0 (127.0.0.1:" in other.stderr.strip().splitlines()[-1]
    kept = checkpoint_of(tmp_path, 0)
    assert kept is not None
    assert kept.epoch == 2


def test_a_batch_that_replicas_cannot_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tidzam_platform.classifiers.training.distributed import epoch_fitter
    from tidzam_platform.classifiers.training.distributed.team import Team

    monkeypatch.setattr(Team, "replicas", 3)
    with pytest.raises(TrainingError, match="multiple of 3"):
        epoch_fitter(None, Team(strategy=object()), 32)


def test_more_devices_than_there_are_and_other_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match=r"training\.devices is 64"):
        train(QUICK.model_copy(update={"devices": 64}))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(TrainingError, match="KERAS_BACKEND is jax"):
        train(QUICK.model_copy(update={"devices": 2}))


def test_workers_meet_before_tensorflow_computes() -> None:
    from tidzam_platform.classifiers.backend import load_tensorflow
    from tidzam_platform.classifiers.training.distributed import joined

    load_tensorflow().zeros(1)
    with pytest.raises(TrainingError, match="a command of its own"), joined(two_workers()[0]):
        pass


def _assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["losses"].shape == (QUICK.max_epochs, 2)
    np.testing.assert_allclose(one["losses"][0, 0], other["losses"][0, 0], rtol=FIRST_STEPS_RTOL)
    np.testing.assert_allclose(one["losses"][0, 1], other["losses"][0, 1], rtol=FIRST_EPOCH_RTOL)
    np.testing.assert_allclose(one["losses"], other["losses"], rtol=LATER_RTOL)
    assert one["losses"][-1, 1] < one["losses"][0, 1]
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=LATER_RTOL, atol=LATER_RTOL, err_msg=name)
