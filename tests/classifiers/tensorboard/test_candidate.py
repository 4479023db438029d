"""Making a candidate writes its log, and whether it does so is no ingredient of the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.classifiers.tensorboard.reading import events_of, scalars, stored, tags_of
from tests.support.small_site import TrainedHome
from tidzam_platform.classifiers.candidate import OneExpert, fingerprint_of, make_candidate
from tidzam_platform.classifiers.front_end import preset
from tidzam_platform.classifiers.tree.building import flat
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, TrainingSettings


def evaluation_in(home: Path, fingerprint: str) -> dict[str, Any]:
    [file] = (home / "store").rglob(f"{fingerprint}/evaluation.json")
    evaluation: dict[str, Any] = json.loads(file.read_bytes())
    return evaluation


def test_a_generation_has_the_log_of_its_training(trained_home: TrainedHome) -> None:
    [folder] = (trained_home.folder / "tensorboard").iterdir()
    evaluation = evaluation_in(trained_home.folder, folder.name)
    logged = scalars(folder / "chosen")["loss/train"]
    assert logged == [(one["number"], stored(one["train_loss"])) for one in evaluation["epochs"]]
    assert len(logged) > 2
    result = scalars(folder / "result")
    assert result["macro_f1"] == [(0, stored(trained_home.answer["evaluation"]["macro_f1"]))]
    assert (folder / "result" / "projector_config.pbtxt").exists()


def test_one_expert_that_is_trained_has_a_log_too(trained_copy: TrainedHome) -> None:
    [whole] = (trained_copy.folder / "tensorboard").iterdir()
    home = Home.open(Settings(home=trained_copy.folder, training=TrainingSettings(windows_per_epoch=256)))
    only = OneExpert("birds", f"classifiers/{whole.name}")
    try:
        made = make_candidate(home, trained_copy.answer["dataset"]["version"], only=only)
    finally:
        home.catalog.close()
    folder = home.settings.tensorboard_folder / made.fingerprint
    assert [run.name for run in folder.iterdir()] == ["result"], "a head on a frozen trunk has no epochs"
    assert scalars(folder / "result")["macro_f1"] == [(0, stored(made.evaluation["macro_f1"]))]
    assert "weights/head_birds/kernel" in tags_of(events_of(folder / "result"), "histograms")
    assert whole.is_dir()


def test_logs_are_no_ingredient_of_the_weights(home: Settings) -> None:
    opened = Home.open(home)
    opened.catalog.close()

    def fingerprint(**changed: Any) -> str:
        settings = home.model_copy(update={"training": TrainingSettings(**changed)})
        other = Home(settings, opened.catalog, opened.store)
        return fingerprint_of(other, "v1", flat(["rain", "wind"]), preset("default"))

    assert fingerprint(tensorboard=False) == fingerprint()
    assert fingerprint(seed=7) != fingerprint()
