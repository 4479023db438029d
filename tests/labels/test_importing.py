"""Import of label files: found by name, by options or by rows; all or nothing; twice is once."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.detections.made import heard, keep_in_files
from tests.labels.made import make_clip, make_recording
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.detections.exporting import write
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.errors import LabelError, NothingToLabelError
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.importing import TrackReport, import_track
from tidzam_platform.labels.listing import AnnotationQuery, find_annotations
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import RecordingTarget
from tidzam_platform.store import LocalStore

NIGHT = "marsh-2026-04-01-12-00-00"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def bring(catalog: Catalog, store: LocalStore, tmp_path: Path) -> Any:
    def bring(name: str, text: str, **options: Any) -> TrackReport:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return import_track(catalog, store, path, **{"annotator": "anna", **options})

    return bring


def standing(catalog: Catalog) -> list[tuple[Any, ...]]:
    rows = find_annotations(catalog, AnnotationQuery(), limit=1000)
    return sorted((row.channel, row.start_s, row.class_path, row.verdict) for row in rows)


def test_a_track_is_named_after_its_recording_and_channel(catalog: Catalog, bring: Any) -> None:
    number = make_recording(catalog)
    text = "1\t2\tBirds-American Crow\n3\t4\tbirds-wren?\n5\t6\t!rain\n"
    report = bring(f"{NIGHT}.ch2.txt", text)
    assert vars(report) == {
        "labels": 3, "made": 3, "kept": 0, "superseded": 0, "withdrawn": 0, "unjudged": 0,
        "classes": {"birds-american_crow": 1, "birds-wren": 1, "rain": 1},
    }  # fmt: skip
    assert standing(catalog) == [
        ("marsh:out_2", 1.0, "birds-american_crow", "present"),
        ("marsh:out_2", 3.0, "birds-wren", "unsure"),
        ("marsh:out_2", 5.0, "rain", "absent"),
    ]
    (row, *_) = find_annotations(catalog, AnnotationQuery(recording_id=number))
    assert (row.annotator, row.tool) == ("anna", "label import")
    again = bring(f"{NIGHT}.ch2.txt", text)
    assert (again.made, again.kept, again.superseded) == (0, 3, 0)


def test_a_corrected_track_supersedes_and_a_shorter_one_withdraws_when_told(
    catalog: Catalog, bring: Any
) -> None:
    make_recording(catalog)
    bring(f"{NIGHT}.ch1.txt", "1\t2\tcrow\n3\t4\train\n")
    bring(f"{NIGHT}.ch2.txt", "1\t2\tfrog\n")
    assert bring(f"{NIGHT}.ch1.txt", "1\t2\twren\n").superseded == 1
    first, second, other = ("marsh:out_1", 1.0), ("marsh:out_1", 3.0), ("marsh:out_2", 1.0, "frog", "present")
    assert standing(catalog) == [(*first, "wren", "present"), (*second, "rain", "present"), other]
    report = bring(f"{NIGHT}.ch1.txt", "1\t2\twren\n", replace=True)
    assert (report.made, report.withdrawn) == (0, 1)
    assert standing(catalog) == [(*first, "wren", "present"), (*second, "rain", "unsure"), other]
    assert bring(f"{NIGHT}.ch1.txt", "", replace=True).withdrawn == 1, (
        "an empty track says that nothing sounds"
    )
    assert bring(f"{NIGHT}.ch1.txt", "", replace=True).withdrawn == 0
    assert bring(f"{NIGHT}.ch1.txt", "").labels == 0
    assert bring(f"{NIGHT}.ch1.txt", "3\t4\train\n").made == 1, "what was withdrawn may be said again"


@pytest.mark.parametrize("replace", [False, True])
def test_a_correction_by_hand_is_not_undone_by_the_same_file(
    catalog: Catalog, bring: Any, replace: bool
) -> None:
    number = make_recording(catalog)
    text = "1\t2\tcrow\n1\t2\train\n"
    bring(f"{NIGHT}.ch1.txt", text)
    crow, _ = find_annotations(catalog, AnnotationQuery())
    rain = Statement("rain", start_s=1.0, end_s=2.0)  # which stands already
    annotate(catalog, RecordingTarget(number, 1), [rain], annotator="anna", tool="web", corrects=crow.id)
    for _ in range(2):
        again = bring(f"{NIGHT}.ch1.txt", text, replace=replace)
        assert (again.made, again.superseded, again.withdrawn) == (0, 0, 0)
        assert standing(catalog) == [("marsh:out_1", 1.0, "rain", "present")]


def test_options_say_what_a_file_speaks_of(catalog: Catalog, bring: Any) -> None:
    make_recording(catalog)
    clip = make_clip(catalog, seconds=5.0)
    for name in (f"{NIGHT}.opus", NIGHT, f"/archive/{NIGHT}.opus"):
        bring("labels.txt", "1\t2\tcrow\n", recording=name, channel=3)
    bring("labels.txt", "1\t2\tcrow\n", clip=str(clip))
    assert [(row.clip_id, row.channel) for row in find_annotations(catalog, AnnotationQuery())] == [
        (None, "marsh:out_3"),
        (clip, None),
    ]
    with pytest.raises(LabelError, match="one of the two"):
        bring("labels.txt", "1\t2\tcrow\n", recording=NIGHT, clip="1")


def test_a_channel_is_asked_for_where_there_are_several(catalog: Catalog, bring: Any) -> None:
    make_recording(catalog)
    make_recording(catalog, "pond-2026-04-01-12-00-00.wav", channels=1)
    with pytest.raises(LabelError, match=r"labels\.txt:1: .* 3 channels: say which with --channel"):
        bring("labels.txt", "1\t2\tcrow\n", recording=NIGHT)
    bring("pond-2026-04-01-12-00-00.txt", "1\t2\tcrow\n")
    bring(f"{NIGHT}.txt", "1\t2\tcrow (channel 2)\n3\t4\twren (marsh:out_3)\n")
    assert [row[:3] for row in standing(catalog)] == [
        ("marsh:out_2", 1.0, "crow"),
        ("marsh:out_3", 3.0, "wren"),
        ("pond:out_1", 1.0, "crow"),
    ]


def test_ravens_table_names_channels_and_files(catalog: Catalog, bring: Any) -> None:
    make_recording(catalog)
    make_recording(catalog, "pond-2026-04-01-12-00-00.wav")
    head = "Selection\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tClass"
    bring(f"{NIGHT}.Table.1.selections.txt", f"{head}\n1\t3\t1\t2\t100\t900\tcrow\n")
    several = (
        f"{head}\tBegin File\tFile Offset (s)\n"
        f"1\t1\t61\t62\t1\t2\twren\tpond-2026-04-01-12-00-00.wav\t1\n"
        f"2\t1\t5\t6\t1\t2\twren\t{NIGHT}.opus\t5\n"
    )
    bring("all.txt", several)
    assert standing(catalog) == [
        ("marsh:out_1", 5.0, "wren", "present"),
        ("marsh:out_3", 1.0, "crow", "present"),
        ("pond:out_1", 1.0, "wren", "present"),
    ]
    with pytest.raises(LabelError, match="2 recordings"):
        bring("all.txt", several, recording=NIGHT)
    one = f"{head}\tBegin File\tFile Offset (s)\n1\t1\t8\t9\t1\t2\twren\tcopy.wav\t8\n"
    bring("all.txt", one, recording=NIGHT, channel=2)
    assert ("marsh:out_2", 8.0, "wren", "present") in standing(catalog), (
        "the options know better than the table"
    )


def test_csv_rows_name_what_they_speak_of(catalog: Catalog, bring: Any) -> None:
    make_recording(catalog)
    clip = make_clip(catalog)
    with catalog.reading() as session:
        from tidzam_platform.catalog.tables import Clip

        sha256 = session.get_one(Clip, clip).sha256
    report = bring(
        "labels.csv",
        "label,parent,recording,channel,clip,start_s,end_s,verdict\n"
        f"crow,birds,{NIGHT}.opus,1,,1,2,\nwren,birds,,,{clip},,,absent\nrain,,,,{sha256},0,1,Present\n",
    )
    assert report.classes == {"birds-crow": 1, "birds-wren": 1, "rain": 1}
    rows = find_annotations(catalog, AnnotationQuery())
    assert [(row.clip_id, row.class_path, row.verdict, row.start_s) for row in rows] == [
        (None, "birds-crow", "present", 1.0),
        (clip, "birds-wren", "absent", None),
        (clip, "rain", "present", 0.0),
    ]


@pytest.mark.parametrize("in_files", [False, True])
def test_an_export_comes_back_with_verdicts(
    catalog: Catalog, store: LocalStore, bring: Any, in_files: bool
) -> None:
    some = [heard(second) for second in range(4)]
    if in_files:
        keep_in_files(catalog, store, some)
    else:
        LiveDetections(catalog).add(some)
    rows = list(csv.DictReader(io.StringIO("".join(write(some, "csv", catalog)))))
    for row, verdict in zip(rows, ["present", "absent", "", "present"], strict=True):
        row["verdict"] = verdict
    rows[3]["class_path"] = "birds-wren"
    judged = io.StringIO(newline="")
    writer = csv.DictWriter(judged, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    report = bring("judged.csv", judged.getvalue())
    assert (report.made, report.unjudged) == (3, 1)
    said = {row.detection_id: row for row in find_annotations(catalog, AnnotationQuery())}
    assert {one.id: (said[one.id].class_path, said[one.id].verdict) for one in some if one.id in said} == {
        some[0].id: ("birds-crow", "present"),
        some[1].id: ("birds-crow", "absent"),
        some[3].id: ("birds-wren", "present"),
    }
    assert (said[some[0].id].channel, said[some[0].id].start) == (some[0].channel, some[0].start)


def test_an_export_that_nobody_judged_says_nothing(catalog: Catalog, bring: Any) -> None:
    LiveDetections(catalog).add([heard()])
    with pytest.raises(LabelError, match="column verdict"):
        bring("birds.csv", "".join(write([heard()], "csv", catalog)))
    with pytest.raises(NothingToLabelError, match="1 detections are not known: abc"):
        bring("birds.csv", "detection,class_path,verdict\nabc,crow,present\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1\t2\tcrow\n3\t3\tpoint\n", r"\.txt:2: .* needs a length"),
        ("1\t2\tcrow\n3\t4\tunknown\n", r"\.txt:2: .* cannot be a label"),
        ("1\t2\tcrow\n3\t4\tWilson's Warbler\n", r"\.txt:2: .* no class path"),
        ("1\t2\tcrow\n3\t99\train\n", r"outside"),
        ("1\t2\tcrow\n1\t2\t!crow\n", r"both present and absent"),
    ],
)
def test_a_label_that_makes_no_sense_is_told_and_nothing_is_written(
    catalog: Catalog, bring: Any, text: str, says: str
) -> None:
    make_recording(catalog)
    with pytest.raises(LabelError, match=says):
        bring(f"{NIGHT}.ch1.txt", text)
    assert standing(catalog) == []


def test_a_mark_and_a_verdict_must_agree(catalog: Catalog, bring: Any) -> None:
    clip = make_clip(catalog)
    bring("labels.csv", f"label,verdict,clip\ncrow?,unsure,{clip}\n")
    with pytest.raises(LabelError, match="marked as absent, but the verdict is present"):
        bring("labels.csv", f"label,verdict,clip\n!crow,present,{clip}\n")


def test_what_is_not_known_or_not_clear_is_told(catalog: Catalog, bring: Any) -> None:
    with pytest.raises(NothingToLabelError, match=r"labels\.txt:1: .*archive index.*--recording"):
        bring("labels.txt", "1\t2\tcrow\n")
    with pytest.raises(NothingToLabelError, match="no clip"):
        bring("labels.txt", "1\t2\tcrow\n", clip="99")
    for folder in ("/a", "/b"):
        make_recording(catalog, folder=folder)
    with pytest.raises(NothingToLabelError, match="2 recordings"):
        bring(f"{NIGHT}.ch1.txt", "1\t2\tcrow\n")
    bring("labels.txt", "1\t2\tcrow\n", recording=f"/b/{NIGHT}.opus", channel=1)
    with pytest.raises(NothingToLabelError):
        bring("labels.txt", "1\t2\tcrow\n", recording=NIGHT.upper(), channel=1)


def test_names_with_the_signs_of_sql_mean_themselves(catalog: Catalog, bring: Any) -> None:
    make_recording(catalog)
    for name in ("%", "marsh_2026-04-01-12-00-00", "marsh%"):
        with pytest.raises(NothingToLabelError):
            bring("labels.txt", "1\t2\tcrow\n", recording=name, channel=1)


def test_labels_of_a_recording_that_comes_back_are_taken_over(catalog: Catalog, bring: Any) -> None:
    number = make_recording(catalog)
    bring(f"{NIGHT}.ch1.txt", "1\t2\tcrow\n")
    with catalog.session() as session:
        from tidzam_platform.archive.rows import remove_rows

        assert remove_rows(session, {number: f"/archive/{NIGHT}.opus"}) == 1
    (row,) = find_annotations(catalog, AnnotationQuery())
    assert (row.recording_id, row.channel, row.class_path) == (None, "marsh:out_1", "crow")
    make_recording(catalog, "pond-2026-04-01-12-00-00.opus")
    back = make_recording(catalog)
    assert bring(f"{NIGHT}.ch1.txt", "1\t2\tcrow\n").made == 0
    (row,) = find_annotations(catalog, AnnotationQuery(), limit=9)
    assert isinstance(row, Annotation)
    assert row.recording_id == back
