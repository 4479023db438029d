"""Detections over HTTP: filters, pages, formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.web.app import WebApp
from streamer.web.core import WebCore
from streamer.web.detection_views import PARAMETERS
from tests.detections.made import heard, keep_in_files
from tests.streamer.web.web_process import Answer, WebProcess
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import DetectionTarget
from tidzam_platform.settings import Settings

PATH = "/api/v1/detections"


@pytest.fixture
def detections(library: Home) -> list[Detection]:
    """Twelve of them, ten seconds apart: two channels, three classes, two generations; the oldest in a file."""
    made = [
        heard(
            10.0 * n,
            channel=f"marsh:out_{1 + n % 2}",
            class_path=("birds-crow", "birds", "rain")[n % 3],
            score=0.5 + n / 25,
            generation=1 + n // 6,
        )
        for n in range(12)
    ]
    keep_in_files(library.catalog, library.store, made[:4])
    LiveDetections(library.catalog).add(made[3:])
    return made


def get(web: WebProcess, query: str = "", **headers: str) -> Answer:
    return web.request("GET", f"{PATH}?{query}", headers=headers)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.body["detections"]]


def test_all_are_told_the_newest_first(web: WebProcess, detections: list[Detection]) -> None:
    answer = get(web)
    assert ids(answer) == [one.id for one in reversed(detections)]
    assert answer.body["next_cursor"] is None
    assert answer.body["detections"][-1] == {
        "id": detections[0].id, "generation": 1, "channel": "marsh:out_1", "start": "2026-04-01T12:00:00.000000Z",
        "end": "2026-04-01T12:00:01.500000Z", "class_path": "birds-crow", "score": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("from=2026-04-01T12:01:00Z", range(6, 12)),
        ("to=2026-04-01T12:00:30Z", range(3)),
        ("from=2026-04-01T14:00:50%2B02:00&to=2026-04-01T12:01:10Z", (5, 6)),
        ("from=2026-04-01T14:00:50+02:00&to=2026-04-01T12:01:10Z", (5, 6)),
        ("from=2026-04-02", ()),
        ("from=2026-04-01&to=2026-04-02", range(12)),
        ("channel=marsh:out_2", range(1, 12, 2)),
        ("channel=marsh:out_2&channel=pond:*", range(1, 12, 2)),
        ("channel=*:out_?", range(12)),
        ("class=birds", (0, 1, 3, 4, 6, 7, 9, 10)),
        ("class=birds&exact=true", (1, 4, 7, 10)),
        ("class=rain&class=birds-crow", (0, 2, 3, 5, 6, 8, 9, 11)),
        ("min_score=0.9", (10, 11)),
        ("max_score=0.54", (0, 1)),
        ("generation=2", range(6, 12)),
        ("generation=2&generation=1&class=rain", (2, 5, 8, 11)),
        ("order=oldest", range(12)),
    ],
)
def test_they_are_chosen(web: WebProcess, detections: list[Detection], query: str, chosen: Any) -> None:
    expected = [detections[n].id for n in chosen]
    assert ids(get(web, query)) == (expected if "oldest" in query else expected[::-1])


def test_pages_hold_each_once(web: WebProcess, detections: list[Detection]) -> None:
    for order in ("newest", "oldest"):
        found: list[str] = []
        url = f"{PATH}?limit=5&order={order}&channel=marsh:*"
        while url:
            answer = web.request("GET", url)
            found += ids(answer)
            link = answer.headers["Link"]
            assert (link is None) == (answer.body["next_cursor"] is None)
            url = link.partition(">")[0].removeprefix("<") if link else ""
        assert sorted(found) == sorted(one.id for one in detections)
        assert len(found) == 12


@pytest.mark.parametrize(
    "query",
    ["from=yesterday", "from=2026-04-01T12:00:00", "from=2026-13-01", "from=2026-04-02&to=2026-04-01", "limit=0",
     "limit=10001", "limit=x", "limit=5&limit=6", "cursor=x", "min_score=2", "min_score=x", "min_score=nan",
     "min_score=0.9&max_score=0.1", "class=Birds", "class=a b", "channel=../x", "channel=" + "*a" * 20,
     "generation=0", f"generation={10**12}", "generation=-1", "order=random", "exact=perhaps", "format=pdf",
     "colour=red", "format=raven&order=newest", "format=audacity&origin=2027-01-01", "cursor=" + "A" * 400],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(web: WebProcess, detections: list[Detection], query: str) -> None:
    answer = get(web, quote(query, safe="=&*"))
    assert (answer.status, sorted(answer.body)) == (400, ["code", "error"])
    assert len(answer.body["error"]) > 10


FILES = {"csv": "text/csv", "jsonl": "application/x-ndjson", "raven": "text/tab-separated-values",
         "audacity": "text/plain"}  # fmt: skip


@pytest.mark.parametrize(("name", "media_type"), FILES.items())
def test_a_file_is_asked_for_by_name_or_by_its_type(
    web: WebProcess, detections: list[Detection], name: str, media_type: str
) -> None:
    by_name = get(web, f"format={name}&channel=marsh:out_1")
    by_type = get(web, "channel=marsh:out_1", Accept=f"{media_type}, */*;q=0.1")
    assert by_name.headers.get_content_type() == media_type
    assert by_name.headers.get_content_charset() == "utf-8"
    assert "attachment" in by_name.headers["Content-Disposition"]
    assert by_name.body == by_type.body
    lines = by_name.body.decode().splitlines()
    assert len(lines) == 6 + (name in ("csv", "raven"))


def test_files_tell_the_same_as_json(web: WebProcess, detections: list[Detection]) -> None:
    expected = get(web, "order=oldest").body["detections"]
    lines = get(web, "format=jsonl").body.decode().splitlines()
    assert [json.loads(line) for line in lines] == expected
    rows = list(csv.DictReader(io.StringIO(get(web, "format=csv").body.decode())))
    assert [row["detection"] for row in rows] == [one["id"] for one in expected]
    assert [float(row["score"]) for row in rows] == [one["score"] for one in expected]


def test_seconds_go_on_counting_on_the_next_page(web: WebProcess, detections: list[Detection]) -> None:
    starts: list[float] = []
    url = f"{PATH}?format=audacity&limit=5"
    while url:
        answer = web.request("GET", url)
        starts += [float(line.split("\t")[0]) for line in answer.body.decode().splitlines()]
        link = answer.headers["Link"]
        url = link.partition(">")[0].removeprefix("<") if link else ""
    assert starts == [10.0 * n for n in range(12)]
    shifted = get(web, "format=audacity&from=2026-04-01T11:59:00Z").body.decode().splitlines()
    assert shifted[0].startswith("60.000000\t61.500000\t")


def test_darwin_core_tells_of_verified_ones_only(
    web: WebProcess, library: Home, detections: list[Detection]
) -> None:
    assert len(get(web, "format=dwc").body.decode().splitlines()) == 1
    annotate(
        library.catalog,
        DetectionTarget(detections[7]),
        [Statement("birds-crow")],
        annotator="ann",
        tool="test",
    )
    answer = get(web, "format=dwc")
    (row,) = csv.DictReader(io.StringIO(answer.body.decode()))
    assert (row["occurrenceID"], row["identifiedBy"]) == (f"tidzam:{detections[7].id}:birds-crow", "ann")
    assert answer.headers.get_content_type() == "text/csv"


def test_a_file_that_is_gone_is_said(web: WebProcess, library: Home) -> None:
    (key,) = keep_in_files(library.catalog, library.store, [heard(generation=9, after_s=-864_000)])
    library.store.delete(key)
    answer = get(web, "generation=9")
    assert (answer.status, answer.body["code"]) == (502, "store_failed")


@pytest.fixture
def asked(home: Settings) -> Iterator[FlaskClient]:
    core = WebCore(home)
    app = WebApp(core)
    yield app.flask.test_client()
    app.close()
    core.close()


texts = st.text(max_size=20) | st.sampled_from(
    [
        "2026-04-01",
        "2026-04-01T05:00:00Z",
        "marsh:out_*",
        "birds",
        "0.5",
        "5",
        "csv",
        "json",
        "true",
        "oldest",
    ]
)


@given(st.lists(st.tuples(st.sampled_from([*PARAMETERS, "x"]), texts), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_query_is_answered_or_refused(asked: FlaskClient, query: list[tuple[str, str]]) -> None:
    answer = asked.get(PATH, query_string=query)
    assert answer.status_code in (200, 400), answer.text
