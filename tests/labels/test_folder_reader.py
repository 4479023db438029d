"""Labels from folders: one folder a class, nested as in the original or by plain names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidzam_platform.errors import LabelError
from tidzam_platform.labels.folder_reader import read_label_folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_nested_folders_name_the_class_in_either_way(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "birds/birds-crow/a.wav",
        "birds/robin/b.wav",
        "birds/c.wav",
        "rain/d.FLAC",
        "rain/notes.txt",
    )
    assert {entry.path.name: entry.class_paths for entry in read_label_folder(root)} == {
        "a.wav": ("birds-crow",),
        "b.wav": ("birds-robin",),
        "c.wav": ("birds",),
        "d.FLAC": ("rain",),
    }


def test_files_that_differ_in_a_trailing_number_are_one_group(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "rain/storm-01.wav", "rain/storm-02.wav", "rain/drizzle_7.wav", "wind/storm-01.wav"
    )
    groups = {str(entry.path.relative_to(root)): entry.group for entry in read_label_folder(root)}
    assert groups["rain/storm-01.wav"] == groups["rain/storm-02.wav"]
    assert len(set(groups.values())) == 3


def test_hidden_folders_are_left_alone(tmp_path: Path) -> None:
    root = touch(tmp_path, "rain/a.wav", ".trash/b.wav", "rain/.cache/c.wav")
    assert [entry.path.name for entry in read_label_folder(root)] == ["a.wav"]


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "holds no audio"), (("a.wav",), "no class's folder"), (("Big Birds/a.wav",), "no class path")],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        read_label_folder(touch(tmp_path, *names))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no such folder"):
        read_label_folder(tmp_path / "absent")
