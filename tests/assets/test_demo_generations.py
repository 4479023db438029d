"""The demo of generations: its parts alone, and the whole way, small."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.crash import cli_environment
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tests.support.small_site import TINY_TRAINING
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.datasets.build import build_dataset, load_manifest
from tidzam_platform.errors import FolderInUseError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home
from tidzam_platform.learning.candidates import unlabelled_clips
from tidzam_platform.learning.pool import start_labels
from tidzam_platform.made_site.pool import PoolSize, make_pool
from tidzam_platform.settings import Settings

SIZE = PoolSize(share=0.01, test_clips_per_sound=1)


@pytest.mark.long
def test_the_pool_is_imported_without_labels_and_the_truth_gives_them(tmp_path: Path) -> None:
    require_part("ffmpeg")
    from assets.demo_pool import import_pool, shuffled_version

    home = Home.open(Settings(home=tmp_path / "home"))
    made = make_pool(tmp_path / "made", size=SIZE)
    imported = import_pool(home, made, FrontEnd())
    assert len(unlabelled_clips(home.catalog, 1000)) == len(made.pool) == len(imported.pool.clips)
    start = start_labels(imported.pool, 2, 1)
    imported.label(start)
    imported.label(start)  # says nothing new
    assert len(unlabelled_clips(home.catalog, 1000)) == len(made.pool) - len(start)
    manifest = load_manifest(home.catalog, home.store, build_dataset(home.catalog, home.store).version)
    sides = Counter(row.side for row in manifest.rows)
    assert sides["test"] == len(made.test) == len(imported.pool.test)
    assert sides["train"] + sides["validation"] == len(start)
    truth = {clip.sha256: clip.class_paths[0] for clip in imported.pool.labelled(start)}
    for row in manifest.rows:
        assert row.side == "test" or truth[row.clip_sha256] == row.class_path

    astray = load_manifest(home.catalog, home.store, shuffled_version(home, manifest.version, 1))
    assert [row for row in astray.rows if row.side == "test"] == [
        row for row in manifest.rows if row.side == "test"
    ], "the test stays true"
    learnt = [row for row in astray.rows if row.side != "test"]
    assert Counter(row.class_path for row in learnt) == Counter(truth.values()), "the labels are the same"
    assert sum(truth[row.clip_sha256] != row.class_path for row in learnt) > len(learnt) / 2


def test_each_run_begins_with_a_home_of_its_own_and_no_other_folder_is_removed(tmp_path: Path) -> None:
    from assets.demo_generations import fresh_run

    with fresh_run(tmp_path) as home:
        (home / "catalog.db").touch()
    with fresh_run(tmp_path) as home:
        assert not (home / "catalog.db").exists()
    other = tmp_path / "other" / "run"
    other.mkdir(parents=True)
    (other / "thesis.txt").touch()
    with pytest.raises(FolderInUseError, match="--demo-home"), fresh_run(tmp_path / "other"):
        pass
    assert (other / "thesis.txt").exists()


def test_a_second_demo_in_one_folder_says_that_one_is_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with exclusive(folder / "lock", f"a demo of generations in {folder}"):
        ended = run_here(
            ["demo", "--generations", "3", "--demo-home", str(folder), "--once"], tmp_path / "home"
        )
    assert ended.returncode == 5
    assert "is already running" in ended.stderr


@pytest.mark.long
def test_the_whole_way_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_part("ffmpeg")
    from assets.demo_generations import fresh_run, run_generations_demo
    from tidzam_platform.learning.curve import Course
    from tidzam_platform.operations.ports import free_port
    from tidzam_platform.settings import load_settings

    folder = tmp_path / "demo"
    environment = {
        **TINY_TRAINING,
        "TIDZAM_GATE__MIN_MACRO_F1": "0.02",
        "TIDZAM_MODEL_SERVER__PORT": str(free_port()),
        "TIDZAM_MODEL_SERVER__REST_PORT": str(free_port()),
        "TIDZAM_DAGSTER__PORT": str(free_port()),
    }
    for name, value in cli_environment(folder / "run", environment).items():
        monkeypatch.setenv(name, value)
    course = Course(start_per_class=2, labels_a_round=6, generations=2, seeds=(1, 2))
    with (
        fresh_run(folder),
        run_generations_demo(load_settings(), folder, course, lambda _what: None, SIZE) as result,
    ):
        answer = result.answer
        assert all(process.is_running() for process in result.processes)
    assert not any(process.is_running() for process in result.processes)
    for arm in ("generations", "random"):
        assert [row["generation"] for row in answer[arm]] == [1, 2]
        assert [row["labels"] for row in answer[arm]] == [18, 24]
        assert all(set(row["by_seed"]) == {"1", "2"} and 0 <= row["macro_f1"] <= 1 for row in answer[arm])
    assert answer["generations"][0]["macro_f1"] == answer["random"][0]["macro_f1"], "the start is shared"
    assert answer["service"]["requests"] > 0
    assert answer["service"]["failed"] == 0, answer["service"]
    assert answer["gate"]["generation"] == 3
    assert answer["gate"]["refused"] == bool(answer["gate"]["reasons"])


@pytest.mark.long
def test_labels_that_the_queue_chose_teach_more_than_random_ones(tmp_path: Path) -> None:
    from tests.support.crash import run_cli
    from tests.support.small_site import last_line

    ended = run_cli(["demo", "--generations", "3", "--once", "--json"], tmp_path / "home", deadline_s=3600)
    assert ended.returncode == 0, ended.stderr
    answer = last_line(ended.stdout)
    active = [row["macro_f1"] for row in answer["generations"]]
    assert active == sorted(active)
    assert answer["random"][-1]["macro_f1"] < active[-1]
    assert answer["gate"]["refused"] is True
    assert answer["gate"]["reasons"]
    assert answer["service"]["failed"] == 0
