"""kill -9 at each named step of import, dataset, training and export, then the same command: as if nothing was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.repository import ModelRepository
from tests.support.crash import run_and_crash
from tests.support.in_process import run_here
from tests.support.small_site import TINY_TRAINING, TrainedHome, last_line
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, DatasetVersion, Generation, Group

TABLES = (Clip, Annotation, Group, DatasetVersion, Generation)


def contents(home: Path) -> dict[str, Any]:
    """What a home holds, without times: counts of rows, names of objects and of model files."""
    catalog = Catalog.open(f"sqlite:///{home / 'catalog.db'}")
    with catalog.reading() as session:
        rows = {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in TABLES
        }
        sides = dict(list(map(tuple, session.execute(select(Group.key, Group.side)))))
        generations = list(map(tuple, session.execute(select(Generation.number, Generation.state))))
    catalog.close()
    return {"rows": rows, "sides": sides, "generations": generations, "files": sorted(visible_files(home))}


def visible_files(home: Path) -> Iterator[str]:
    for root in ("store", "models"):
        for path in (home / root).rglob("*"):
            parts = path.relative_to(home).parts
            if path.is_file() and path.stat().st_size and not path.name.endswith(".lock"):
                yield "/".join(parts)


@pytest.mark.parametrize("point", ["import.stored:2", "import.recorded:2", "import.committed:2"])
def test_import(trained_home: TrainedHome, tmp_path: Path, point: str) -> None:
    command = ["dataset", "import", trained_home.site.labels_file, "--json"]
    run_and_crash(command, point, tmp_path / "crashed")
    finished = last_line(run_here(command, tmp_path / "crashed").stdout)
    assert finished["added"] + finished["skipped"] == 72
    assert not finished["unusable"]
    run_here(command, tmp_path / "clean")
    assert contents(tmp_path / "crashed") == contents(tmp_path / "clean")


@pytest.mark.parametrize(
    "point", ["dataset.sides", "dataset.sides_committed", "dataset.stored", "dataset.recorded"]
)
def test_dataset(trained_home: TrainedHome, tmp_path: Path, point: str) -> None:
    home = tmp_path / "home"
    run_here(["dataset", "import", trained_home.site.labels_file, "--json"], home)
    command = ["dataset", "build", "--json"]
    run_and_crash(command, point, home)
    assert last_line(run_here(command, home).stdout)["version"] == trained_home.answer["dataset"]["version"]
    assert contents(home)["rows"]["dataset_versions"] == 1


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(
            "training.epoch:2", marks=pytest.mark.long
        ),  # in small: classifiers/training/test_loop.py
        pytest.param("training.evaluated", marks=pytest.mark.long),
        pytest.param("training.saved", marks=pytest.mark.long),
        pytest.param("training.completed", marks=pytest.mark.long),
        pytest.param("export.staged", marks=pytest.mark.long),
        "generation.exported",
        pytest.param("generation.published", marks=pytest.mark.long),
        pytest.param("generation.recorded", marks=pytest.mark.long),
    ],
)
def test_training_and_export(trained_home: TrainedHome, tmp_path: Path, point: str) -> None:
    home = tmp_path / "home"
    if point.startswith("training."):
        run_here(["dataset", "import", trained_home.site.labels_file, "--annotator", "truth", "--json"], home)
    else:  # what was trained stays: only the export is at stake
        shutil.copytree(trained_home.folder, home)
        forget_export(home)
    command = ["generation", "run", "--json"]
    run_and_crash(command, point, home, env=TINY_TRAINING)
    versions = home / "models" / "tidzam"
    for version in versions.iterdir() if versions.exists() else ():
        assert (version / "saved_model.pb").exists(), "a version is whole or absent"
    answer = last_line(run_here(command, home, env=TINY_TRAINING).stdout)
    assert answer["evaluation"] == trained_home.answer["evaluation"]
    assert answer["generation"] == 1
    assert contents(home) == contents(trained_home.folder)
    (change,) = ModelRepository(home / "models").history()
    assert (change.version, change.label, change.by) == (1, "stable", "gate")


def forget_export(home: Path) -> None:
    """As the home was before its generation was exported."""
    shutil.rmtree(home / "models")
    catalog = Catalog.open(f"sqlite:///{home / 'catalog.db'}")
    with catalog.session() as session:
        generation = session.get_one(Generation, 1)
        generation.state, generation.exported_at = "candidate", None
    catalog.close()
