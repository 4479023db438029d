"""Label files of Audacity, Raven and CSV: read as those programs write them; what is wrong is named by its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.errors import LabelError
from tidzam_platform.labels.tracks import FORMATS, TrackLabel, read_track

AUDACITY = "\ufeff1,5\t2.5\tAmerican Crow\n\\\t500.0\t-1.0\n\n3\t3\tpoint\twith a tab\n"
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    "1\tWaveform 1\t2\t1.0\t2.0\t\t\tcrow\n"
    "1\tSpectrogram 1\t2\t1.0\t2.0\t500\t2500.5\tcrow\n"
    "2\tSpectrogram 1\t1\t5,25\t6\t0\t100\tWren\n"
)
CSV = (
    "label,parent,verdict,start_s,end_s,low_hz,high_hz,channel,recording,clip,detection,start,mood\n"
    "crow,birds,absent,1,2.5,100,200,3,night.opus,,,,sad\n"
    "rain,,,,,,,marsh:out_7,,12,,,\n"
    '"wren",birds,unsure,,,,,,,,abc,2026-04-01T12:00:00Z,\n'
)


def write(folder: Path, text: str, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def plain(labels: list[TrackLabel]) -> list[dict[str, object]]:
    """What is told, without places."""
    return [
        {name: value for name, value in vars(one).items() if value is not None and name != "where"}
        for one in labels
    ]


def test_audacity_is_read_with_its_frequencies(tmp_path: Path) -> None:
    assert plain(read_track(write(tmp_path, AUDACITY))) == [
        {"label": "American Crow", "start_s": 1.5, "end_s": 2.5, "low_hz": 500.0},
        {"label": "point\twith a tab", "start_s": 3.0, "end_s": 3.0},
    ]
    assert read_track(write(tmp_path, "\n\n")) == [], "an empty track says nothing"


def test_raven_is_read_and_its_views_are_one_selection(tmp_path: Path) -> None:
    assert plain(read_track(write(tmp_path, RAVEN))) == [
        {"label": "crow", "start_s": 1, "end_s": 2, "low_hz": 500, "high_hz": 2500.5, "channel": 2},
        {"label": "Wren", "start_s": 5.25, "end_s": 6, "low_hz": 0, "high_hz": 100, "channel": 1},
    ]


def test_raven_tables_over_several_files_count_within_each(tmp_path: Path) -> None:
    text = (
        "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tMy Names\n"
        "3601.5\t3602\tmarsh-b.wav\t1.5\tcrow\n1\t2\t\t\twren\n"
    )
    assert plain(read_track(write(tmp_path, text), "raven", column="My Names")) == [
        {"label": "crow", "start_s": 1.5, "end_s": 2.0, "recording": "marsh-b.wav"},
        {"label": "wren", "start_s": 1, "end_s": 2},
    ]


@pytest.mark.parametrize(("verdict", "of_detection"), [("", None), ("Verdict", "abc")])
def test_a_detection_is_meant_only_where_it_is_judged(
    tmp_path: Path, verdict: str, of_detection: str | None
) -> None:
    text = f"Begin Time (s)\tEnd Time (s)\tClass\tDetection\t{verdict}\n1\t2\tcrow\tabc\tpresent\n"
    (label,) = read_track(write(tmp_path, text))
    assert label.detection == of_detection


def test_csv_is_read(tmp_path: Path) -> None:
    first, second, third = read_track(write(tmp_path, CSV))
    assert plain([first, second]) == [
        {
            "label": "crow", "parent": "birds", "verdict": "absent", "start_s": 1, "end_s": 2.5, "low_hz": 100,
            "high_hz": 200, "channel": 3, "recording": "night.opus",
        },
        {"label": "rain", "channel": 7, "clip": "12"},
    ]  # fmt: skip
    assert (third.detection, third.verdict, third.start_s) == ("abc", "unsure", None)
    assert third.heard_at is not None
    assert third.where.endswith(":4")


@pytest.mark.parametrize(
    ("format_name", "text", "line"),
    [
        ("audacity", "1\t2\tcrow\n1 2 crow\n", 2),
        ("audacity", "1\t2\t \n", 1),
        ("audacity", "1\t2\n", 1),
        ("audacity", "2\t1\tcrow\n", 1),
        ("audacity", "-1\t1\tcrow\n", 1),
        ("audacity", "nan\t1\tcrow\n", 1),
        ("audacity", "1e999\t1e999\tcrow\n", 1),
        ("audacity", "1_0\t20\tcrow\n", 1),
        ("audacity", "1.000,5\t2000\tcrow\n", 1),
        ("audacity", "\\\t1\t2\n", 1),
        ("audacity", "1\t2\tcrow\n\\\tlow\thigh\n", 2),
        ("raven", "Begin Time (s)\tEnd Time (s)\tClass\n1\t2\t\n", 2),
        ("raven", "Begin Time (s)\tEnd Time (s)\tClass\n1\n", 2),
        ("raven", "Begin Time (s)\tEnd Time (s)\tClass\n1\tx\tcrow\n", 2),
        ("raven", "Begin Time (s)\tEnd Time (s)\tClass\tChannel\n1\t2\tcrow\t0\n", 2),
        ("raven", "Selection\tBegin Time (s)\tEnd Time (s)\tClass\n1\t1\t2\ta\n1\t3\t4\ta\n", 3),
        ("csv", "label,start_s,end_s\ncrow,1,\n", 2),
        ("csv", "label,start_s,end_s\ncrow,2,1\n", 2),
        ("csv", "label\ncrow,2\n", 2),
        ("csv", 'label,channel\n"x",marsh:2\n', 2),
        ("csv", "label,channel\nx,²\n", 2),
        ("csv", "label,start_s\n,\n", 2),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, format_name: str, text: str, line: int) -> None:
    with pytest.raises(LabelError, match=rf"labels\.txt:{line}:"):
        read_track(write(tmp_path, text), format_name)


@pytest.mark.parametrize(
    ("format_name", "text", "says"),
    [
        ("auto", "hello\n", "--format"),
        ("csv", "a,b\n1,2\n", "label or class_path"),
        ("csv", "label,label\n1,2\n", "twice"),
        ("csv", 'label\n"open\n', "as CSV"),
        ("raven", "Selection\tBegin Time (s)\n", "End Time"),
        ("raven", "Begin Time (s)\tEnd Time (s)\tMood\n1\t2\tx\n", "--column"),
        ("auto", "1\t2\t\0\n", "null bytes"),
        ("xml", "", "no format"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, format_name: str, text: str, says: str) -> None:
    with pytest.raises(LabelError, match=says):
        read_track(write(tmp_path, text), format_name)


def test_only_ravens_tables_have_a_column_to_choose(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="only Raven"):
        read_track(write(tmp_path, AUDACITY), column="Class")
    with pytest.raises(LabelError, match="no column 'Mood'"):
        read_track(write(tmp_path, RAVEN), column="Mood")


def test_what_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.txt").write_bytes(b"1\t2\t\xff\xfe\n")
    with pytest.raises(LabelError, match="UTF-8"):
        read_track(tmp_path / "bytes.txt")
    with pytest.raises(LabelError, match="cannot be read"):
        read_track(tmp_path / "missing.txt")
    with pytest.raises(LabelError, match="cannot be read"):
        read_track(tmp_path)
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as handle:
        handle.truncate(65 << 20)
    with pytest.raises(LabelError, match="64 MiB"):
        read_track(huge)


@untimed
@given(st.text(max_size=200), st.sampled_from(FORMATS))
@example("label,start_s\n\r,\r", "csv")
@example('label\n"', "csv")
@example("\\\t", "audacity")
@example("Begin Time (s)\tEnd Time (s)\tClass\n\t\t\t\t", "raven")
def test_any_text_is_read_or_refused(tmp_path_factory, text: str, format_name: str) -> None:
    path = tmp_path_factory.mktemp("any") / "labels.txt"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        labels = read_track(path, format_name)
    except LabelError:
        return
    assert all(one.label == one.label.strip() != "" for one in labels)
    assert all(one.start_s is None or 0 <= one.start_s <= (one.end_s or 0) for one in labels)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0"), min_size=1)
ROWS = st.lists(
    st.tuples(
        NAMES.map(str.strip).filter(bool),
        st.integers(0, 10**9),
        st.integers(0, 10**6),
        st.none() | st.integers(0, 24_000),
    ),
    max_size=8,
)


@untimed
@given(ROWS)
def test_any_csv_is_read_back(tmp_path_factory, rows: list[tuple[str, int, int, int | None]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["start_s", "label", "end_s", "low_hz"])
    for name, start, length, low in rows:
        writer.writerow([start / 1000, name, (start + length) / 1000, low])
    labels = read_track(write(tmp_path_factory.mktemp("csv"), text.getvalue()), "csv")
    assert [(one.label, one.start_s, one.end_s, one.low_hz) for one in labels] == [
        (name, start / 1000, (start + length) / 1000, low) for name, start, length, low in rows
    ]


@untimed
@given(ROWS)
def test_any_track_of_audacity_is_read_back(
    tmp_path_factory, rows: list[tuple[str, int, int, int | None]]
) -> None:
    text = "".join(
        f"{start / 1000}\t{(start + length) / 1000}\t{name}\n"
        + ("" if low is None else f"\\\t{low}\t-1.000000\n")
        for name, start, length, low in rows
    )
    labels = read_track(write(tmp_path_factory.mktemp("audacity"), text), "audacity")
    assert [(one.label, one.start_s, one.end_s, one.low_hz, one.high_hz) for one in labels] == [
        (name, start / 1000, (start + length) / 1000, low, None) for name, start, length, low in rows
    ]
