"""From a dataset to the model repository: once for the same ingredients, and only through the gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from assets.generation_run import why_not_served
from tests.support.in_process import run_here
from tests.support.model_server import ModelServerProcess
from tests.support.small_site import TINY_TRAINING, TrainedHome, last_line
from tidzam_platform.catalog.tables import DatasetVersion, Generation
from tidzam_platform.classifiers.gate import PARTS
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings


def test_the_answer_tells_generation_dataset_evaluation_and_gate(trained_home: TrainedHome) -> None:
    answer = trained_home.answer
    assert answer["generation"] == 1
    assert answer["dataset"]["clips"] == 72
    assert {**answer["gate"], "parts": None} == {
        "passed": True,
        "reasons": [],
        "incumbent": None,
        "parts": None,
    }
    assert answer["gate"]["parts"] == dict.fromkeys(PARTS, True)
    assert answer["served"] is False, "no model server runs"
    evaluation = answer["evaluation"]
    assert set(evaluation["per_class"]) == set(evaluation["classes"])
    assert sum(map(sum, evaluation["confusion"])) == evaluation["clips"]


def test_the_same_ingredients_give_the_generation_that_is_there(trained_copy: TrainedHome) -> None:
    again = run_here(["generation", "run", "--json"], trained_copy.folder, env=TINY_TRAINING)
    assert last_line(again.stdout) == {
        **trained_copy.answer,
        "saved_model": last_line(again.stdout)["saved_model"],
    }
    assert "epoch" not in again.stderr, "nothing was trained"


@pytest.mark.long
def test_training_twice_with_one_seed_gives_the_same_figures(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    home = tmp_path / "other"
    imported = run_here(
        ["dataset", "import", trained_home.site.labels_file, "--annotator", "x", "--json"], home
    )
    assert imported.returncode == 0, imported.stderr
    made = run_here(["generation", "run", "--json"], home, env=TINY_TRAINING)
    answer = last_line(made.stdout)
    assert answer["dataset"] == trained_home.answer["dataset"]
    assert answer["evaluation"] == trained_home.answer["evaluation"]


def test_without_labels_the_error_says_what_to_do(tmp_path: Path) -> None:
    failed = run_here(["generation", "run"], tmp_path / "empty")
    assert failed.returncode == 1
    assert "./tidzam dataset import" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_unknown_dataset_version_is_a_clear_error(trained_copy: TrainedHome) -> None:
    failed = run_here(["generation", "run", "--dataset", "0123456789abcdef"], trained_copy.folder)
    assert failed.returncode == 1
    assert "no dataset version '0123456789abcdef'" in failed.stderr


def test_the_model_server_of_another_home_is_not_taken_for_ours(
    trained_copy: TrainedHome, home: Settings
) -> None:
    ours = Home.open(home.model_copy(update={"home": trained_copy.folder}))
    theirs = Home.open(home)
    with ModelServerProcess(trained_copy.folder) as process:
        address = process.wait_ready()["address"]
        assert not why_not_served(ours, 1, address=address)
        for words in (why_not_served(theirs, 1, address=address), _with_another_dataset(ours, address)):
            assert f"the model server at {address} serves another home" in words
            assert trained_copy.answer["dataset"]["version"] in words
    assert f"no model server answers at {address}" in why_not_served(ours, 1, address=address)


def _with_another_dataset(ours: Home, address: str) -> str:
    """The words if our generation of that number were made of another dataset."""
    with ours.catalog.session() as session:
        known = session.scalars(select(DatasetVersion)).one()
        columns = {"clips": known.clips, "summary": known.summary, "made_at": known.made_at}
        session.add(DatasetVersion(version="f" * 16, store_key="datasets/other", **columns))
        session.flush()
        session.scalars(select(Generation)).one().dataset_version = "f" * 16
    return why_not_served(ours, 1, address=address)


def test_one_expert_is_trained_and_the_others_are_carried_over(trained_copy: TrainedHome) -> None:
    lenient = {**TINY_TRAINING, "TIDZAM_GATE__MARGIN": "1", "TIDZAM_GATE__MIN_MACRO_F1": "0"}
    made = run_here(["generation", "run", "--expert", "birds", "--json"], trained_copy.folder, env=lenient)
    assert made.returncode == 0, made.stderr
    assert last_line(made.stdout)["generation"] == 2
    assert last_line(made.stdout)["gate"]["incumbent"] == 1, "what it was compared with"
    with open_home(trained_copy.folder).catalog.reading() as session:
        first, second = (session.get_one(Generation, number).manifest["experts"] for number in (1, 2))
    assert set(first) == set(second) == {"selector", "birds", "insects"}
    changed = {name for name in first if first[name]["fingerprint"] != second[name]["fingerprint"]}
    assert changed == {"birds"}


def test_an_expert_that_the_tree_does_not_have_is_a_clear_error(trained_copy: TrainedHome) -> None:
    refused = run_here(["generation", "run", "--expert", "fish"], trained_copy.folder, env=TINY_TRAINING)
    assert refused.returncode == 2, refused.stderr
    assert "no expert 'fish'" in refused.stderr


def test_an_expert_alone_needs_a_generation_to_keep_the_others_of(
    trained_copy: TrainedHome, tmp_path: Path
) -> None:
    home = tmp_path / "fresh"
    run_here(["dataset", "import", trained_copy.site.labels_file, "--json"], home)
    refused = run_here(["generation", "run", "--expert", "birds"], home, env=TINY_TRAINING)
    assert refused.returncode == 1, refused.stderr
    assert "train a whole tree first" in refused.stderr


def open_home(folder: Path) -> Home:
    return Home.open(load_settings(home=folder))
