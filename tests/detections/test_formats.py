"""What other programs read: CSV, JSON Lines, Raven's tables, Audacity's tracks."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tests.detections.made import NOON, heard
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.exporting import FORMAT_NAMES, export, extent_of, media_type_of, write
from tidzam_platform.detections.formats import FORMATS, Layout, detection_object
from tidzam_platform.detections.formats.separated import csv_line
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import LabelError, QueryError
from tidzam_platform.labels.tracks import read_track
from tidzam_platform.store import LocalStore

DETECTIONS = st.lists(
    st.builds(
        heard,
        st.integers(0, 10**9).map(lambda microseconds: microseconds / 10**6),
        channel=st.sampled_from(["marsh:out_1", "river-2:out_30"]),
        class_path=st.sampled_from(["rain", "birds-american_crow"]),
        score=st.floats(0, 1, width=32),
        generation=st.integers(1, 99),
        seconds=st.sampled_from([0.5, 1.25, 61.0]),
    ),
    max_size=6,
).map(lambda found: sorted(found, key=lambda one: one.start))


def written(format_name: str, detections: list[Detection], layout: Layout | None = None) -> str:
    return "".join(FORMATS[format_name].write(iter(detections), layout or Layout()))


@untimed
@given(DETECTIONS)
def test_csv_holds_all_that_a_detection_is(detections: list[Detection]) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", detections))))
    read_back = [
        Detection(
            id=row["detection"],
            generation=int(row["generation"]),
            channel=row["channel"],
            start=datetime.fromisoformat(row["start"]),
            end=datetime.fromisoformat(row["end"]),
            class_path=row["class_path"],
            score=float(row["score"]),
        )
        for row in rows
    ]
    assert [vars(one) | {"score": 0} for one in read_back] == [vars(one) | {"score": 0} for one in detections]
    assert [one.score for one in read_back] == pytest.approx([one.score for one in detections], abs=1e-6)


def test_texts_of_csv_are_no_formulas_and_numbers_are_numbers() -> None:
    cells = (-0.5, -7, "-1e-05", "+3", "-33.868800", "=1", "-1 m", "\tx", "\rx", "\nx", "a=1", "", None)
    (row,) = csv.reader(io.StringIO(csv_line(cells), newline=""))
    assert row == [
        "-0.5", "-7", "-1e-05", "+3", "-33.868800", "'=1", "'-1 m", "'\tx", "'\rx", "'\nx", "a=1", "", "",
    ]  # fmt: skip


@untimed
@given(DETECTIONS)
def test_json_is_one_object_a_line(detections: list[Detection]) -> None:
    lines = written("json", detections).splitlines()
    assert [json.loads(line) for line in lines] == [detection_object(one) for one in detections]


def test_an_object_names_times_in_utc_and_no_digits_that_float32_has_not() -> None:
    one = detection_object(heard(0.25, score=0.8999999761581421))
    assert (one["start"], one["end"]) == ("2026-04-01T12:00:00.250000Z", "2026-04-01T12:00:01.750000Z")
    assert one["score"] == 0.9
    assert list(one) == ["id", "generation", "channel", "start", "end", "class_path", "score"]


@untimed
@given(DETECTIONS, st.sampled_from(["raven", "audacity"]))
def test_our_own_reader_reads_tables_and_tracks(
    tmp_path_factory, detections: list[Detection], name: str
) -> None:
    path = tmp_path_factory.mktemp("track") / "labels.txt"
    path.write_text(written(name, detections, Layout(origin=NOON)))
    labels = read_track(path)
    assert [one.start_s for one in labels] == pytest.approx(
        [(one.start - NOON).total_seconds() for one in detections], abs=1e-6
    )
    assert [one.end_s for one in labels] == pytest.approx(
        [(one.end - NOON).total_seconds() for one in detections], abs=1e-6
    )
    if name == "raven":
        assert [one.label for one in labels] == [one.class_path for one in detections]
        assert [one.channel for one in labels] == [int(one.channel.rpartition("_")[2]) for one in detections]
    else:
        assert [one.label for one in labels] == [f"{one.class_path} ({one.channel})" for one in detections]


def test_ravens_table_has_the_columns_that_raven_wants() -> None:
    first, *rows = written("raven", [heard(3, channel="marsh:out_7")], Layout(origin=NOON)).splitlines()
    assert first.split("\t")[:7] == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    ]  # fmt: skip
    assert rows[0].split("\t")[:7] == ["1", "Spectrogram 1", "7", "3.000000", "4.500000", "0", "24000"]


def test_labels_of_one_channel_need_not_name_it() -> None:
    assert (
        written("audacity", [heard(3)], Layout(NOON, one_channel=True)) == "3.000000\t4.500000\tbirds-crow\n"
    )


def test_seconds_count_from_the_first_detection_unless_told() -> None:
    assert written("audacity", [heard(3), heard(5)]).startswith("0.000000\t1.500000\t")
    with pytest.raises(QueryError, match="before second 0"):
        written("audacity", [heard(5), heard(3)])
    with pytest.raises(QueryError, match="before second 0"):
        written("raven", [heard(5)], Layout(origin=NOON + timedelta(seconds=6)))


def test_pieces_come_as_detections_are_read() -> None:
    def endless():
        second = 0
        while True:
            yield heard(second)
            second += 1

    for name in FORMATS:
        pieces = FORMATS[name].write(endless(), Layout())
        assert all(next(pieces) for _ in range(3))


def test_every_format_has_a_media_type_and_others_are_refused(catalog: Catalog) -> None:
    assert {name: media_type_of(name) for name in FORMAT_NAMES} == {
        "csv": "text/csv",
        "json": "application/x-ndjson",
        "raven": "text/tab-separated-values",
        "audacity": "text/plain",
        "dwc": "text/csv",
    }
    for refused in (lambda: media_type_of("xml"), lambda: write([], "xml", catalog)):
        with pytest.raises(QueryError, match="csv, json, raven, audacity, dwc"):
            refused()


def recording(**changes: object) -> Recording:
    values = {
        "path": "/archive/marsh-2026-04-01-12-00-00.opus", "size_bytes": 1, "mtime_ns": 1, "channels": 3,
        "start": NOON, "end": NOON + timedelta(seconds=10), "seconds": 10.0, "source": Source(name="marsh"),
    }  # fmt: skip
    return Recording(**{**values, **changes})


def test_a_recordings_detections_count_from_its_start(catalog: Catalog, tmp_path: Path) -> None:
    LiveDetections(catalog).add(
        [
            heard(second, channel=channel)
            for second in (-1, 2, 10)
            for channel in ("marsh:out_2", "river:out_2")
        ]
    )
    extent = extent_of(recording(), DetectionQuery(classes=("birds",)), 2)
    pieces = export(
        DetectionReader(catalog, LocalStore(tmp_path)),
        catalog,
        extent.query,
        "audacity",
        origin=extent.origin,
    )
    assert "".join(pieces) == "2.000000\t3.500000\tbirds-crow\n"
    assert extent_of(recording(), DetectionQuery()).query.channels == ("marsh:out_*",)


def test_a_channel_or_recording_that_is_not_there_is_refused() -> None:
    with pytest.raises(QueryError, match="channels 1 to 3"):
        extent_of(recording(), DetectionQuery(), 4)
    with pytest.raises(LabelError, match="damaged"):
        extent_of(recording(end=None, channels=None, error="damaged"), DetectionQuery())


def test_an_export_is_in_order_of_time_whatever_the_query_says(catalog: Catalog, tmp_path: Path) -> None:
    LiveDetections(catalog).add([heard(second) for second in (5, 1, 3)])
    query = DetectionQuery(newest_first=True, channels=("marsh:out_1",))
    text = "".join(export(DetectionReader(catalog, LocalStore(tmp_path)), catalog, query, "audacity"))
    assert [line.split("\t")[0] for line in text.splitlines()] == ["0.000000", "2.000000", "4.000000"]
