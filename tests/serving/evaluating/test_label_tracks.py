"""Label tracks as Audacity writes them, found beside their recordings; errors say where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.evaluating.label_tracks import find_labelled, read_label_track
from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation.events import TimedLabel
from tidzam_platform.errors import LabelError


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_recordings_are_found_with_the_tracks_of_their_channels(tmp_path: Path) -> None:
    write(tmp_path / "day" / "night.opus")
    write(tmp_path / "day" / "night.ch1.txt", "1.5\t2.5\tcat\n")
    write(tmp_path / "day" / "night.ch12.txt", "")
    write(tmp_path / "night.ch2.txt", "1\t2\tdog\n")
    write(tmp_path / "alone.wav")
    write(tmp_path / "notes.txt", "no track")
    write(tmp_path / ".Trash" / "old.wav")
    write(tmp_path / ".Trash" / "old.ch1.txt", "not a track\n")
    found = find_labelled(tmp_path)
    (night,) = found.recordings
    assert night.path == tmp_path / "day" / "night.opus"
    assert night.tracks == {1: (TimedLabel(1.5, 2.5, "cat"),), 12: ()}
    assert found.without_tracks == 1
    assert found.without_recording == (tmp_path / "night.ch2.txt",)


def test_two_recordings_of_one_name_are_told_apart_by_nobody(tmp_path: Path) -> None:
    write(tmp_path / "night.opus")
    write(tmp_path / "night.wav")
    write(tmp_path / "night.ch1.txt")
    with pytest.raises(LabelError, match="rename one"):
        find_labelled(tmp_path)


def test_a_folder_without_tracks_is_told_how_to_get_them(tmp_path: Path) -> None:
    write(tmp_path / "night.opus")
    with pytest.raises(LabelError, match=r"night\.ch1\.txt"):
        find_labelled(tmp_path)
    with pytest.raises(LabelError, match="no such folder"):
        find_labelled(tmp_path / "missing")


def test_a_track_is_read_as_audacity_writes_it(tmp_path: Path) -> None:
    text = "\ufeff3.0\t4.0\tAmerican Crow \n\\\t500.0\t2000.0\n\n1,25\t2,5\tcat\twith a tab\n5\t5\tpoint\n"
    assert read_label_track(write(tmp_path / "track.txt", text)) == (
        TimedLabel(1.25, 2.5, "cat\twith a tab"),
        TimedLabel(3, 4, "American Crow"),
        TimedLabel(5, 5, "point"),
    )


@pytest.mark.parametrize(
    "line",
    ["1.0 2.0 cat", "1.0\tcat", "a\tb\tcat", "1.0\t2.0\t", "2.0\t1.0\tcat", "-1\t1\tcat", "nan\t1\tcat"],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str) -> None:
    track = write(tmp_path / "night.ch1.txt", f"0.5\t1.0\tcat\n{line}\n")
    with pytest.raises(LabelError, match=r"night\.ch1\.txt:2"):
        read_label_track(track)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    track = tmp_path / "night.ch1.txt"
    track.write_bytes(b"1.0\t2.0\t\xff\xfe\n")
    with pytest.raises(LabelError, match="UTF-8"):
        read_label_track(track)
    with pytest.raises(LabelError, match="cannot be read"):
        read_label_track(tmp_path / "missing.ch1.txt")


@untimed
@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 10**6), st.sampled_from(["cat", "big dog", "été"]))
    )
)
def test_any_track_is_read_back(tmp_path_factory, events: list[tuple[int, int, str]]) -> None:
    path = tmp_path_factory.mktemp("tracks") / "night.ch1.txt"
    labels = [TimedLabel(start / 1000, (start + length) / 1000, name) for start, length, name in events]
    write(path, "".join(f"{one.onset_s:.6f}\t{one.offset_s:.6f}\t{one.class_path}\n" for one in labels))
    assert read_label_track(path) == tuple(sorted(labels))
