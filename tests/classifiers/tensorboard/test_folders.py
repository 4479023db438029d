"""Logs do not grow for ever, and nothing of anybody else's is removed."""

from __future__ import annotations

import os
from pathlib import Path

from tidzam_platform.classifiers.tensorboard.folders import KEPT_TRAININGS, replace_folder


def made(root: Path, name: str, age_s: int) -> Path:
    folder = root / name
    (folder / "chosen").mkdir(parents=True)
    (folder / "chosen" / "events.out.tfevents.1.1").write_bytes(b"x")
    os.utime(folder, (1_000_000 - age_s, 1_000_000 - age_s))
    return folder


def test_the_newest_are_kept(tmp_path: Path) -> None:
    folders = [made(tmp_path, f"{age:032x}", age) for age in range(KEPT_TRAININGS + 3)]
    new = replace_folder(tmp_path, "f" * 32)
    assert set(tmp_path.iterdir()) == {new, *folders[: KEPT_TRAININGS - 1]}


def test_an_unfinished_log_of_the_same_training_is_replaced(tmp_path: Path) -> None:
    folder = made(tmp_path, "a" * 32, 0)
    assert replace_folder(tmp_path, folder.name) == folder
    assert not list(folder.iterdir())


def test_what_is_not_a_log_of_a_training_stays(tmp_path: Path) -> None:
    mine = made(tmp_path, "my experiments", 10_000)
    note = tmp_path / ("b" * 32)
    note.write_text("a file, no folder")
    for age in range(KEPT_TRAININGS + 3):
        made(tmp_path, f"{age:032x}", age)
    replace_folder(tmp_path, "f" * 32)
    assert (mine / "chosen").is_dir()
    assert note.exists()
    assert len(list(tmp_path.iterdir())) == KEPT_TRAININGS + 2
