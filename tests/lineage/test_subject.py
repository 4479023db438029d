"""What may be asked about."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detections.made import heard, keep_in_files
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import DetectionNotFoundError, InvalidNameError, QueryError
from tidzam_platform.home import Home
from tidzam_platform.lineage import Subject, find_subject
from tidzam_platform.settings import Settings

EVENT = {
    "file": "night.opus", "channel": 2, "start": 1.5, "end": 3.0, "class": "birds-crow", "score": 0.9, "generation": 3,
}  # fmt: skip


@pytest.fixture
def opened(home: Settings) -> Iterator[Home]:
    made = Home.open(home)
    yield made
    made.catalog.close()


@pytest.fixture
def reader(opened: Home) -> DetectionReader:
    return DetectionReader(opened.catalog, opened.store)


def test_detections_are_found_live_and_in_the_archive(opened: Home, reader: DetectionReader) -> None:
    live, kept = heard(), heard(60, class_path="rain", generation=2)
    LiveDetections(opened.catalog).add([live])
    keep_in_files(opened.catalog, opened.store, [kept])
    for one in (live, kept):
        found = find_subject(reader, f" {one.id}\n")
        assert (found.detection, found.generation, found.class_path) == (one, one.generation, one.class_path)
        assert find_subject(reader, one.id, start=one.start, channel=one.channel) == found
        assert found.as_json()["event"] is None


def test_an_unknown_detection_is_said_to_be_unknown(reader: DetectionReader) -> None:
    with pytest.raises(DetectionNotFoundError, match="detections list"):
        find_subject(reader, "f" * 24)


def test_an_answer_of_analyze_is_taken_as_it_stands(reader: DetectionReader) -> None:
    assert find_subject(reader, "3:birds-crow") == Subject(3, "birds-crow")
    found = find_subject(reader, json.dumps(EVENT))
    assert (found.generation, found.class_path, found.detection) == (3, "birds-crow", None)
    assert found.as_json()["event"] == {
        "file": "night.opus",
        "channel": 2,
        "start": 1.5,
        "end": 3.0,
        "score": 0.9,
    }


@pytest.mark.parametrize(
    "text",
    ["", "no detection", "../x", "0:birds", "3:", "{", "{}", "[1]", '{"generation": "3", "class": "birds"}',
     '{"generation": true, "class": "birds"}', '{"generation": 0, "class": "birds"}', "3:unknown", "3:no_signal",
     "3:no_signal-silence", "9999999999:birds", '{"generation": 3, "class": "' + "a" * 20_000 + '"}'],
)  # fmt: skip
def test_what_is_none_of_these_is_refused(reader: DetectionReader, text: str) -> None:
    with pytest.raises(QueryError) as refused:
        find_subject(reader, text)
    assert not isinstance(refused.value, DetectionNotFoundError)
    assert len(str(refused.value)) > 20


def test_a_class_path_that_is_none_is_refused(reader: DetectionReader) -> None:
    with pytest.raises(InvalidNameError):
        find_subject(reader, "3:birds--crow")


class NothingHeard(DetectionReader):
    def __init__(self) -> None:
        pass

    def find(self, *_given: object, **_more: object) -> None:
        return None


@given(st.text(max_size=40) | st.from_regex(r"\{.*\}") | st.from_regex(r"[0-9]{1,11}:[a-z_-]*"))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(QueryError, InvalidNameError):
        assert find_subject(NothingHeard(), text).generation > 0
