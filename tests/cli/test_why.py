"""``./tidzam why`` on a trained home, as people and scripts use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.detections.made import keep_in_files
from tests.support.in_process import run_here
from tests.support.small_site import TrainedHome, last_line
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.classifiers.events import Event
from tidzam_platform.detections.detection import Detection, detection_of
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget
from tidzam_platform.settings import Settings

# A few epochs teach little; by the original's rule there is an answer all the same.
SURE_OF_LITTLE = {"TIDZAM_DECISION__RULE": "margin", "TIDZAM_DECISION__THRESHOLD": "0.01"}
ZERO = datetime(2026, 4, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Heard:
    """A home where a recording was analysed, and one of its events was kept as a detection."""

    folder: TrainedHome
    event: dict[str, Any]
    detection: Detection
    home: Home

    def why(self, *arguments: object) -> Any:
        return run_here(["why", *(str(one) for one in arguments)], self.folder.folder)

    def told(self, *arguments: object) -> dict[str, Any]:
        answer = self.why(*arguments, "--json")
        assert answer.returncode == 0, answer.stderr
        return last_line(answer.stdout)


@pytest.fixture
def heard(trained_copy: TrainedHome) -> Iterator[Heard]:
    recordings = sorted(trained_copy.site.archive_folder.glob("*.opus"))
    answer = run_here(["analyze", "--local", "--json", *recordings], trained_copy.folder, env=SURE_OF_LITTLE)
    assert answer.returncode == 0, answer.stderr
    event = next(
        one for one in last_line(answer.stdout)["events"] if one["class"] not in ("unknown", "no_signal")
    )
    start, end = (round(event[name] * 1000) for name in ("start", "end"))
    found = Event(event["channel"], start, end, event["class"], event["score"])
    kept = detection_of(found, event["generation"], "marsh", ZERO, 1000)
    home = Home.open(Settings(home=trained_copy.folder))
    yield Heard(trained_copy, event, kept, home)
    home.catalog.close()


def test_a_detection_is_traced_to_the_labels_behind_its_class(heard: Heard) -> None:
    LiveDetections(heard.home.catalog).add([heard.detection])
    found = heard.told(heard.detection.id, "--clips", 3)
    made = heard.folder.answer
    assert found["detection"]["id"] == heard.detection.id
    assert found["generation"]["number"] == made["generation"]
    assert found["generation"]["facts"]["gate"]["passed"] is True
    assert found["generation"]["service"]["label"] == "stable"
    (promoted,) = found["generation"]["service"]["changes"]
    assert (promoted["action"], promoted["by"]) == ("promote", "gate")
    steps = found["experts"]
    assert steps[0]["expert"] == "selector"
    assert steps[-1]["decided"] == heard.detection.class_path
    assert {step["dataset_version"] for step in steps} == {made["dataset"]["version"]}
    assert all(step["is_code_of_today"] and step["clips"]["train"]["present"] for step in steps)
    behind = found["behind"]
    learnt = behind["clips"]["train"]["present"] + behind["clips"]["validation"]["present"]
    assert [(one["annotator"], one["tool"]) for one in behind["annotators"]["present"]] == [
        ("truth", "import")
    ]
    assert behind["annotators"]["present"][0]["labels"] >= learnt > 0
    assert len(behind["examples"]["present"]) == min(3, learnt)
    for one in behind["examples"]["present"]:
        assert is_within(one["class_path"], heard.detection.class_path)
        assert heard.home.store.exists(one["store_key"]), "it can be listened to"
    assert found["remarks"] == []


def test_a_detection_of_the_archive_is_found_with_and_without_hints(heard: Heard) -> None:
    keep_in_files(heard.home.catalog, heard.home.store, [heard.detection])
    one = heard.detection
    alone = heard.told(one.id)
    assert alone["detection"]["class_path"] == one.class_path
    assert heard.told(one.id, "--start", one.start.isoformat(), "--channel", one.channel) == alone


def test_an_event_of_analyze_and_a_class_are_traced_the_same(heard: Heard) -> None:
    by_event = heard.told(json.dumps(heard.event))
    by_class = heard.told(f"{heard.event['generation']}:{heard.event['class']}")
    assert by_event["event"]["file"] == heard.event["file"]
    assert by_event["detection"] is None
    assert by_event["behind"] == by_class["behind"]


def test_what_a_second_annotator_said_since_is_told(heard: Heard) -> None:
    name = f"{heard.event['generation']}:{heard.event['class']}"
    clip = heard.told(name)["behind"]["examples"]["present"][0]["clip"]
    annotate(
        heard.home.catalog,
        ClipTarget(clip),
        [Statement(heard.event["class"], "absent")],
        annotator="bo",
        tool="web",
    )
    (correction,) = heard.told(name)["behind"]["corrections"]
    assert (correction["kind"], correction["clip"], correction["annotator"]) == ("beside", clip, "bo")
    shown = heard.why(name).stdout
    assert "said since of these clips: 1" in shown
    assert "bo (web)" in shown


def test_a_person_reads_it_from_the_top(heard: Heard) -> None:
    LiveDetections(heard.home.catalog).add([heard.detection])
    shown = heard.why(heard.detection.id)
    assert shown.returncode == 0, shown.stderr
    with heard.home.catalog.reading() as session:
        assert session.query(Annotation).count() == session.query(Clip).count(), "one label a clip"
    number, version = heard.detection.generation, heard.folder.answer["dataset"]["version"]
    for words in (
        f"{heard.detection.class_path} was heard on {heard.detection.channel}",
        f"generation {number}: exported",
        "the gate: passed it",
        "it is stable now",
        "selector",
        version,
        "truth (import)",
        "clips/",
    ):
        assert words in shown.stdout


def test_what_cannot_be_traced_is_said(heard: Heard) -> None:
    unknown = heard.why("f" * 24)
    assert unknown.returncode == 2
    assert "there is no detection" in unknown.stderr
    assert heard.why("x y").returncode == 2
    assert heard.why("1:unknown").returncode == 2
    assert heard.why("1:birds", "--clips", 201).returncode == 2
    foreign = heard.why("77:birds")
    assert foreign.returncode == 0
    assert "does not know generation 77" in foreign.stderr
