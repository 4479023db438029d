"""Labels from CSV: what is read, and that nonsense is refused with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.errors import LabelError
from tidzam_platform.labels.csv_reader import read_label_csv


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_label_and_parent_make_the_class_path_and_a_class_that_is_its_own_parent_stays_single(
    tmp_path: Path,
) -> None:
    entries = read_label_csv(
        write(
            tmp_path,
            "file,label,parent,group,seconds\na.wav,bird,animal,g1,1.5\nb.wav,noise,noise,g2,2\nc.wav,rain,,,\n",
        )
    )
    assert [(entry.path.name, entry.class_paths, entry.group) for entry in entries] == [
        ("a.wav", ("animal-bird",), "g1"),
        ("b.wav", ("noise",), "g2"),
        ("c.wav", ("rain",), None),
    ]


def test_two_rows_of_one_file_give_it_both_classes(tmp_path: Path) -> None:
    (entry,) = read_label_csv(write(tmp_path, "file,label,group\na.wav,rain,g\na.wav,bird,g\n"))
    assert entry.class_paths == ("bird", "rain")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns"),
        ("file,class\na.wav,x\n", "must name the columns"),
        ("file,label\n", "no rows"),
        ("file,label\n../a.wav,bird\n", "labels.csv:2.*does not lie below"),
        ("file,label\n/etc/passwd,bird\n", "labels.csv:2.*does not lie below"),
        ("file,label\n,bird\n", "labels.csv:2"),
        ("file,label\na.wav,Bird Song\n", "labels.csv:2.*no class path"),
        ("file,label\na.wav,\n", "labels.csv:2.*no class path"),
        ("file,label,group\na.wav,x,g1\na.wav,y,g2\n", "labels.csv:3.*in group 'g1'"),
        ('file,label\n"a.wav,bird\n', "cannot be read as CSV"),
        (f"file,label,group\na.wav,x,{'g' * 201}\n", "200 characters"),
    ],
)
def test_nonsense_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        read_label_csv(write(tmp_path, text))


def test_a_missing_file_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no such file"):
        read_label_csv(tmp_path / "absent.csv")
    (tmp_path / "labels.csv").write_bytes(b"file,label\n\xff\xfe,bird\n")
    with pytest.raises(LabelError, match="UTF-8"):
        read_label_csv(tmp_path / "labels.csv")


@given(text=st.text(max_size=200))
def test_no_text_makes_it_fail_in_another_way(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with contextlib.suppress(LabelError):
        read_label_csv(write(tmp_path_factory.mktemp("csv"), "file,label,parent,group\n" + text))


def test_a_symbolic_link_that_leads_outside_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "in").mkdir(parents=True)
    (tmp_path / "outside.wav").touch()
    (folder / "in" / "real.wav").touch()
    (folder / "link.wav").symlink_to(tmp_path / "outside.wav")
    (folder / "inside.wav").symlink_to("in/real.wav")
    (folder / "away").symlink_to(tmp_path)
    for name, link in (("link.wav", "link.wav"), ("away/outside.wav", "away")):
        with pytest.raises(LabelError, match="is a symbolic link to") as caught:
            read_label_csv(write(folder, f"file,label\n{name},rain\n"))
        assert f"{folder / link} is a symbolic link" in str(caught.value)
    (entry,) = read_label_csv(write(folder, "file,label\ninside.wav,rain\n"))
    assert entry.path == (folder / "in" / "real.wav").resolve()
    (folder / "circle.wav").symlink_to("circle.wav")
    with pytest.raises(LabelError, match="in a circle"):
        read_label_csv(write(folder, "file,label\ncircle.wav,rain\n"))
