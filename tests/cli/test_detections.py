"""``./tidzam detections`` and ``./tidzam label`` as people and scripts use them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.detections.made import heard, keep_in_files
from tests.labels.made import make_clip, make_recording
from tests.support.in_process import run_here
from tidzam_platform.cli.detections import detections
from tidzam_platform.cli.label import label
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.errors import InvalidNameError, LabelError, NothingToLabelError, TidzamError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

NIGHT = "marsh-2026-04-01-12-00-00"


@pytest.fixture
def site(home: Settings) -> Iterator[Home]:
    """Twelve detections, some live and some in files, a recording and a clip."""
    opened = Home.open(home)
    some = [
        heard(second, class_path=("birds-crow", "rain")[second % 2], channel=f"marsh:out_{second % 3 + 1}")
        for second in range(12)
    ]
    keep_in_files(opened.catalog, opened.store, some[:6])
    LiveDetections(opened.catalog).add(some[4:])
    make_recording(opened.catalog)
    make_clip(opened.catalog)
    yield opened
    opened.catalog.close()


def run(command: click.Command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def answer(command: click.Command, *arguments: object) -> Any:
    result = run(command, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(command: click.Command, *arguments: object) -> TidzamError:
    error = run(command, *arguments).exception
    assert isinstance(error, TidzamError)
    return error


def test_the_newest_come_first_and_the_list_goes_on(site: Home) -> None:
    first = answer(detections, "list", "--limit", 5, "--json")
    second = answer(detections, "list", "--limit", 50, "--cursor", first["next_cursor"], "--json")
    starts = [one["start"] for one in (*first["detections"], *second["detections"])]
    assert (len(starts), second["next_cursor"]) == (12, None)
    assert starts == sorted(starts, reverse=True)
    oldest = answer(detections, "list", "--oldest-first", "--json")["detections"]
    assert [one["start"] for one in oldest] == starts[::-1]


def test_filters_choose(site: Home) -> None:
    chosen = answer(
        detections, "list", "--json", "--class", "birds", "--channel", "marsh:out_?", "--generation", 1,
        "--from", "2026-04-01T12:00:02Z", "--to", "2026-04-02", "--min-score", 0.5, "--max-score", 0.8,
    )["detections"]  # fmt: skip
    assert {one["class_path"] for one in chosen} == {"birds-crow"}
    assert len(chosen) == 5
    assert answer(detections, "list", "--json", "--class", "birds", "--exact")["detections"] == []


def test_a_person_sees_a_table_and_how_to_go_on(site: Home) -> None:
    shown = run(detections, "list", "--limit", 2)
    assert "2026-04-01T12:00:11.000Z" in shown.stdout
    assert "--cursor" in shown.stderr


def test_wrong_questions_are_told(site: Home) -> None:
    assert isinstance(refusal(detections, "list", "--channel", "[a]"), InvalidNameError)
    assert "no cursor" in str(refusal(detections, "list", "--cursor", "x"))
    for wrong in (["--from", "2026-04-01T12:00:00"], ["--from", "yesterday"], ["--limit", "0"]):
        result = run(detections, "list", *wrong)
        assert result.exit_code == 2
        assert wrong[0] in result.stderr


@pytest.mark.parametrize("format_name", ["csv", "json", "raven", "audacity", "dwc"])
def test_an_export_is_the_same_on_standard_output_and_in_a_file(
    site: Home, tmp_path: Path, format_name: str
) -> None:
    shown = run(detections, "export", "--format", format_name)
    assert shown.exit_code == 0, shown.output
    path = tmp_path / "out" / "detections.txt"
    path.parent.mkdir()
    told = answer(detections, "export", "--format", format_name, "--output", path, "--json")
    assert path.read_text() == shown.stdout
    assert told == {"output": str(path), "format": format_name, "bytes": path.stat().st_size}
    assert [entry.name for entry in path.parent.iterdir()] == ["detections.txt"]
    lines = shown.stdout.splitlines()
    assert len(lines) == {"csv": 13, "json": 12, "raven": 13, "audacity": 12, "dwc": 1}[format_name]


def test_an_export_that_fails_leaves_what_was_there(site: Home, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("mine")
    wrong = run(detections, "export", "--format", "audacity", "--origin", "2026-04-02", "--output", path)
    assert "before second 0" in str(wrong.exception)
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []


def test_a_file_that_cannot_be_written_is_told_by_the_name_that_was_given(site: Home, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "labels.txt"
    wrong = run(detections, "export", "--output", path)
    assert wrong.exit_code == 2
    assert str(path) in wrong.output
    assert "no folder" in wrong.output
    assert "partial" not in wrong.output


@pytest.mark.parametrize("arguments", [["detections", "diff", "1", "2"], ["reprocess", "--diff", "2"]])
def test_a_picture_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, arguments: list[str]
) -> None:
    days = ["--source", "marsh", "--from", "2026-04-01", "--to", "2026-04-02"]
    wrong = run_here([*arguments, *days, "--picture", tmp_path / "nowhere" / "a.png"], tmp_path)
    assert wrong.returncode == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in wrong.stderr


def test_a_recordings_labels_count_from_its_start(site: Home) -> None:
    shown = run(detections, "export", "--format", "audacity", "--recording", NIGHT, "--number", 2)
    assert shown.stdout.splitlines()[0] == "1.000000\t2.500000\train"
    assert len(shown.stdout.splitlines()) == 4


def test_options_that_do_not_go_together_are_refused(site: Home, tmp_path: Path) -> None:
    taxa = tmp_path / "taxa.csv"
    taxa.write_text("class,scientificName\n")
    for wrong in (
        ["--json"],
        ["--number", 1],
        ["--recording", NIGHT, "--channel", "marsh:out_1"],
        ["--taxa", taxa],
        ["--format", "xml"],
    ):
        assert run(detections, "export", *wrong).exit_code == 2


def test_what_people_verified_becomes_an_occurrence(site: Home, tmp_path: Path) -> None:
    table = list(csv.DictReader(io.StringIO(run(detections, "export").stdout)))
    for row, verdict in zip(table, ["present", "absent"], strict=False):
        row["verdict"] = verdict
    path = tmp_path / "judged.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    report = answer(label, "import", path, "--annotator", "anna", "--json")
    assert (report["made"], report["unjudged"]) == (2, 10)
    assert answer(label, "import", path, "--annotator", "anna", "--json")["made"] == 0
    (tmp_path / "taxa.csv").write_text("class,scientificName\nbirds,Aves\n")
    (tmp_path / "places.csv").write_text("source,latitude,longitude\nmarsh,52.5,13\n")
    shown = run(
        detections,
        "export",
        "--format",
        "dwc",
        "--taxa",
        tmp_path / "taxa.csv",
        "--places",
        tmp_path / "places.csv",
    )
    (row,) = csv.DictReader(io.StringIO(shown.stdout))
    assert (row["scientificName"], row["identifiedBy"], row["decimalLatitude"]) == (
        "Aves",
        "anna",
        "52.500000",
    )


def test_labels_of_a_recording_are_imported_and_listed(site: Home, tmp_path: Path) -> None:
    path = tmp_path / f"{NIGHT}.ch2.txt"
    path.write_text("1\t2\tbirds-crow\n3\t4\tbirds-wren\n")
    told = run(label, "import", path, "--annotator", "anna")
    assert told.exit_code == 0, told.output
    assert "2 labels: 2 new" in told.stdout
    path.write_text("1\t2\train\n")
    assert answer(label, "import", path, "--annotator", "anna", "--replace", "--json")["withdrawn"] == 1
    stands = answer(label, "list", "--recording", NIGHT, "--json")
    assert [(row["class_path"], row["verdict"]) for row in stands["annotations"]] == [
        ("rain", "present"),
        ("birds-wren", "unsure"),
    ]
    everything = answer(label, "list", "--history", "--annotator", "anna", "--limit", 3, "--json")
    assert len(everything["annotations"]) == 3
    assert everything["next_after"] == everything["annotations"][-1]["id"]
    listed = run(label, "list", "--history")
    assert "present, now" in listed.stdout
    assert "marsh:out_2" in listed.stdout


def test_labels_of_a_clip_are_imported(site: Home, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("0.5\t1\tbirds-crow\n")
    assert answer(label, "import", path, "--clip", 1, "--json")["made"] == 1
    (row,) = answer(label, "list", "--clip", 1, "--class", "birds", "--json")["annotations"]
    assert (row["clip"], row["start_s"], row["tool"]) == (1, 0.5, "label import")


def test_wrong_labels_are_told(site: Home, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("0.5\t1\n")
    assert isinstance(refusal(label, "import", path, "--clip", 1), LabelError)
    path.write_text("0.5\t1\tcrow\n")
    assert isinstance(refusal(label, "import", path), NothingToLabelError)
    assert isinstance(refusal(label, "list", "--clip", 99), NothingToLabelError)
    assert run(label, "import", path, "--clip", 1, "--recording", NIGHT).exit_code == 2
    assert run(label, "import", tmp_path / "missing.txt").exit_code == 2
