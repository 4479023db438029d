"""Labels from folders: one folder a class, nested as in the original or by plain names."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("link", ["rain/b.wav", "wind"])
def test_a_symbolic_link_that_leads_outside_is_refused_by_name(tmp_path: Path, link: str) -> None:
    root = touch(tmp_path, "clips/rain/a.wav", "outside/b.wav") / "clips"
    target = tmp_path / "outside" / ("b.wav" if link.endswith(".wav") else "")
    (root / link).symlink_to(target)
    with pytest.raises(LabelError, match="is a symbolic link to") as caught:
        read_label_folder(root)
    assert str(root / link) in str(caught.value)
    assert str(target) in str(caught.value)


def test_a_symbolic_link_that_stays_inside_is_taken_and_a_circle_is_not(tmp_path: Path) -> None:
    root = touch(tmp_path, "rain/a.wav")
    (root / "rain" / "b.wav").symlink_to("a.wav")
    assert [entry.path.name for entry in read_label_folder(root)] == ["a.wav", "b.wav"]
    (root / "rain" / "c.wav").symlink_to("c.wav")
    with pytest.raises(LabelError, match="in a circle"):
        read_label_folder(root)


@pytest.mark.parametrize("name", ["unknown", "unknown/bird", "no_signal"])
def test_an_answer_of_the_decision_names_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabelError, match="cannot be a label"):
        read_label_folder(touch(tmp_path, f"{name}/a.wav"))
    (entry,) = read_label_folder(touch(tmp_path / "good", "no_signal/silence/a.wav"))
    assert entry.class_paths == ("no_signal-silence",)


def test_a_name_that_is_not_utf_8_gives_a_group_that_a_database_takes(tmp_path: Path) -> None:
    (entry,) = read_label_folder(touch(tmp_path, "rain/" + os.fsdecode(b"\xff.wav")))
    assert entry.group == "rain/\\udcff"
