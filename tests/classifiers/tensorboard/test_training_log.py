"""The log of a training: each epoch once, however often it was killed, and never at the training's cost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.classifiers.tensorboard.log_here import (
    FINGERPRINT,
    KilledError,
    Logged,
    quick_settings,
    resumable_in,
    train_and_log,
)
from tests.classifiers.tensorboard.reading import Points, scalars, stored
from tidzam_platform.classifiers.tensorboard import TrainingLog
from tidzam_platform.classifiers.training import Epoch
from tidzam_platform.settings import Settings

EPOCHS = [Epoch(1, 2.0, 1.5, 1e-3), Epoch(2, 1.0, 1.25, 5e-4), Epoch(1, 1.75, None, 1e-3)]


def expected(stage: Sequence[Epoch]) -> dict[str, Points]:
    points = {
        "loss/train": [(epoch.number, stored(epoch.train_loss)) for epoch in stage],
        "loss/validation": [
            (epoch.number, stored(epoch.validation_loss))
            for epoch in stage
            if epoch.validation_loss is not None
        ],
        "learning_rate": [(epoch.number, stored(epoch.learning_rate)) for epoch in stage],
    }
    return {tag: values for tag, values in points.items() if values}


def test_each_stage_is_a_run_with_its_losses_and_learning_rate(logged: Logged) -> None:
    chosen, refitted = logged.history[:2], logged.history[2:]
    assert [epoch.number for epoch in logged.history[:3]] == [1, 2, 1]
    assert scalars(logged.folder / "chosen") == expected(chosen)
    assert scalars(logged.folder / "refitted") == expected(refitted)
    assert "loss/validation" in expected(chosen)
    assert "loss/validation" not in expected(refitted)
    assert 0 <= chosen[1].learning_rate < chosen[0].learning_rate < 5e-3, "after the warm-up it falls"


@pytest.mark.long  # resuming itself is tested every day
def test_killed_in_either_stage_and_resumed_no_point_comes_twice(logged: Logged, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path)
    folder = settings.tensorboard_folder / FINGERPRINT
    for kill_after, epochs in ((1, 1), (2, 3)):  # after the first epoch, then in the second stage
        with pytest.raises(KilledError):
            train_and_log(settings, kill_after)
        points = [scalars(run)["loss/train"] for run in sorted(folder.iterdir())]
        assert sum(map(len, points)) == epochs
    resumed = train_and_log(settings)
    assert resumed.history == logged.history
    for run in ("chosen", "refitted"):
        assert len(list((folder / run).iterdir())) == 1, "what the killed ones wrote is gone"
        assert scalars(folder / run) == scalars(logged.folder / run)
    assert scalars(folder / "result") == scalars(logged.folder / "result")


def test_points_can_be_read_while_the_training_goes_on(home: Settings) -> None:
    log = TrainingLog(home, resumable_in(home.home))
    for count, epoch in enumerate(EPOCHS[:2], start=1):
        log.epoch_ended(epoch)
        assert scalars(home.tensorboard_folder / FINGERPRINT / "chosen") == expected(EPOCHS[:count])


def test_what_cannot_be_written_costs_one_warning_and_no_training(
    logged: Logged, home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    home.tensorboard_folder.write_text("in the way")
    with caplog.at_level(logging.WARNING, "tidzam"):
        log = TrainingLog(home, resumable_in(home.home))
        for epoch in EPOCHS:
            log.epoch_ended(epoch)
        log.training_ended(logged.tree, logged.clips, logged.evaluation)
    [record] = caplog.records
    assert str(home.tensorboard_folder) in record.message
    assert "training.tensorboard" in record.message
    assert home.tensorboard_folder.read_text() == "in the way"


def test_a_fault_of_the_pictures_costs_no_training_either(
    logged: Logged, home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tidzam"):
        log = TrainingLog(home, resumable_in(home.home))
        log.epoch_ended(EPOCHS[0])
        log.training_ended(logged.tree, [], logged.evaluation)  # no clips: nothing can be made of them
    [record] = caplog.records
    assert record.exc_info, "where it comes from is told, since it is a fault of ours"
    assert scalars(home.tensorboard_folder / FINGERPRINT / "chosen") == expected(EPOCHS[:1])


def test_turned_off_nothing_is_written_and_what_is_there_stays(logged: Logged, home: Settings) -> None:
    TrainingLog(home, resumable_in(home.home)).epoch_ended(EPOCHS[0])
    before = sorted(home.tensorboard_folder.rglob("*"))
    off = home.model_copy(update={"training": home.training.model_copy(update={"tensorboard": False})})
    log = TrainingLog(off, resumable_in(home.home))
    log.epoch_ended(EPOCHS[0])
    log.training_ended(logged.tree, logged.clips, logged.evaluation)
    assert sorted(home.tensorboard_folder.rglob("*")) == before
    assert len(before) == 3, "the folder of the training, a run, its file"
