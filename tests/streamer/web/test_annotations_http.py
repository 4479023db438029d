"""What people say of clips and detections, over HTTP: written with history, in the name of the token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clips.made import metadata, record
from tests.detections.made import heard, keep_in_files
from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.access import Role
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home


@pytest.fixture
def clip(web: WebProcess, library: Home, tmp_path: Path) -> str:
    """The path of a clip's annotations."""
    made = record(library.catalog, library.store, tmp_path, metadata(), frames=96_000)
    return f"/api/v1/clips/{made.id}/annotations"


@pytest.fixture
def detection(web: WebProcess, library: Home) -> str:
    """The path of a detection's annotations."""
    LiveDetections(library.catalog).add([heard()])
    return f"/api/v1/detections/{heard().id}/annotations"


@pytest.fixture(scope="session")  # as the process: its tokens stay
def ann(shared_web: tuple[WebProcess, Any, Any]) -> str:
    return shared_web[0].tokens.create(Role.LABEL, "ann who labels")[1]


def said(web: WebProcess, path: str, query: str = "") -> list[tuple[str, str, bool]]:
    """Class, verdict and whether it was superseded, of all that is told."""
    answer = web.request("GET", path + query)
    assert answer.status == 200, answer.body
    return [
        (one["class_path"], one["verdict"], one["superseded_by"] is not None)
        for one in answer.body["annotations"]
    ]


def test_a_clip_is_labelled_corrected_and_its_history_is_kept(web: WebProcess, clip: str, ann: str) -> None:
    first = web.request("POST", clip, {"class_path": "birds-crow"}, token=ann)
    assert (first.status, first.body["made"], first.body["kept"]) == (201, 1, 0)
    (told,) = first.body["annotations"]
    assert {key: told[key] for key in ("channel", "start", "end", "annotator", "tool", "verdict")} == {
        "channel": "marsh:out_1", "start": "2026-04-01T12:00:00.000Z", "end": "2026-04-01T12:00:02.000Z",
        "annotator": "ann who labels", "tool": "web", "verdict": "present",
    }  # fmt: skip
    again = web.request("POST", clip, {"class_path": "birds-crow"}, token=ann)
    assert (again.status, again.body["made"], again.body["kept"]) == (200, 0, 1)
    better = {"class_path": "birds-jay", "corrects": told["id"]}
    corrected = web.request("POST", clip, better, token=ann)
    assert (corrected.status, corrected.body["superseded"]) == (201, 1)
    assert said(web, clip) == [("birds-jay", "present", False)]
    assert said(web, clip, "?history=true") == [
        ("birds-crow", "present", True), ("birds-jay", "present", False),
    ]  # fmt: skip
    assert web.request("GET", clip.rpartition("/")[0]).body["annotations"][0]["class_path"] == "birds-jay"


def test_several_statements_are_written_together_or_not_at_all(web: WebProcess, clip: str, ann: str) -> None:
    first = {"class_path": "birds", "start_s": 0, "end_s": 1.5, "low_hz": 1000, "high_hz": 4000}
    second = {"class_path": "rain", "verdict": "absent"}
    assert web.request("POST", clip, {"annotations": [first, second]}, token=ann).body["made"] == 2
    outside = {"class_path": "wind", "start_s": 50, "end_s": 60}
    refused = web.request("POST", clip, {"annotations": [{"class_path": "frogs"}, outside]}, token=ann)
    assert (refused.status, refused.body["code"]) == (400, "bad_label")
    assert said(web, clip) == [("birds", "present", False), ("rain", "absent", False)]
    all_anew = {"annotations": [{"class_path": "rain", "verdict": "unsure"}], "replaces": "all"}
    answer = web.request("POST", clip, all_anew, token=ann).body
    assert (answer["made"], answer["superseded"], answer["withdrawn"]) == (2, 2, 1)
    assert said(web, clip) == [("rain", "unsure", False), ("birds", "unsure", False)]


def test_what_others_say_stays_beside_it(web: WebProcess, clip: str, ann: str) -> None:
    web.request("POST", clip, {"class_path": "birds"}, token=ann)
    web.request("POST", clip, {"class_path": "birds", "verdict": "absent"}, token=web.token(Role.OPERATE))
    assert said(web, clip) == [("birds", "present", False), ("birds", "absent", False)]


def test_a_detection_is_refuted_live_and_in_the_archive(
    web: WebProcess, library: Home, detection: str, ann: str
) -> None:
    refuted = web.request("POST", detection, {"class_path": "birds-crow", "verdict": "absent"}, token=ann)
    assert refuted.status == 201
    told = refuted.body["annotations"][0]
    assert (told["detection"], told["channel"], told["start"], told["clip"]) == (
        heard().id, "marsh:out_1", "2026-04-01T12:00:00.000Z", None,
    )  # fmt: skip
    old = heard(-864_000, generation=7)
    keep_in_files(library.catalog, library.store, [old])
    path = f"/api/v1/detections/{old.id}/annotations"
    for query in ("", "?start=2026-03-22T12:00:00Z"):
        assert web.request("POST", path + query, {"class_path": "birds-crow"}, token=ann).status in (200, 201)
    assert said(web, path) == [("birds-crow", "present", False)]


WRONG: list[tuple[Any, int]] = [
    ({}, 400), ([], 400), ({"class_path": ""}, 400), ({"class_path": "Birds"}, 400), ({"class_path": "unknown"}, 400),
    ({"class_path": 5}, 400), ({"class_path": "birds", "verdict": "perhaps"}, 400),
    ({"class_path": "birds", "start_s": 1}, 400), ({"class_path": "birds", "start_s": 2, "end_s": 1}, 400),
    ({"class_path": "birds", "start_s": "0", "end_s": "1"}, 400), ({"class_path": "birds", "colour": 1}, 400),
    ({"class_path": "birds", "low_hz": 5000, "high_hz": 100}, 400), ({"annotations": []}, 400),
    ({"annotations": [{"class_path": "birds"}, {"class_path": "birds", "verdict": "absent"}]}, 400),
    ({"annotations": [{"class_path": "birds"}], "class_path": "rain"}, 400), ({"annotations": {}}, 400),
    ({"class_path": "birds", "replaces": "nothing"}, 400), ({"class_path": "birds", "corrects": 999_999}, 404),
    ({"class_path": "birds", "annotator": "somebody else"}, 400), (b'{"class_path": "birds", "end_s": NaN}', 400),
    (b"{", 400), (b" " * 70_000, 413),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), WRONG, ids=lambda value: str(value)[:50])
def test_what_makes_no_sense_is_refused_and_writes_nothing(
    web: WebProcess, clip: str, detection: str, ann: str, body: Any, status: int
) -> None:
    for path in (clip, detection):
        answer = web.request("POST", path, body, token=ann, headers={"Content-Type": "application/json"})
        assert (answer.status, sorted(answer.body)) == (status, ["code", "error"])
        assert said(web, path, "?history=true") == []


def test_a_stretch_of_a_detection_is_no_label(web: WebProcess, detection: str, ann: str) -> None:
    stretch = {"class_path": "birds", "start_s": 0, "end_s": 0.5}
    assert web.request("POST", detection, stretch, token=ann).status == 400


@pytest.mark.parametrize("identity", ["nothing", "a" * 24, "..%2f..", "x" * 100, "%00"])
def test_a_detection_that_is_not_there_is_said(
    web: WebProcess, library: Home, ann: str, identity: str
) -> None:
    path = f"/api/v1/detections/{identity}/annotations"
    assert web.request("POST", path, {"class_path": "birds"}, token=ann).status == 404


def test_labelling_wants_role_label(web: WebProcess, engine: FakeEngine, clip: str, detection: str) -> None:
    for path in (clip, detection):
        for token, status in ((None, 401), (web.token("listen"), 403)):
            assert web.request("POST", path, {"class_path": "birds"}, token=token).status == status
        assert said(web, path) == []


def test_long_histories_come_in_pages(web: WebProcess, clip: str, ann: str) -> None:
    several = {"annotations": [{"class_path": f"class_{n}"} for n in range(5)]}
    web.request("POST", clip, several, token=ann)
    first = web.request("GET", f"{clip}?limit=3").body
    rest = web.request("GET", f"{clip}?limit=3&after={first['next_after']}").body
    assert rest["next_after"] is None
    paths = [one["class_path"] for one in (*first["annotations"], *rest["annotations"])]
    assert paths == [f"class_{n}" for n in range(5)]
    for query in ("limit=0", "limit=1001", "after=x", "history=perhaps", "colour=red"):
        assert web.request("GET", f"{clip}?{query}").status == 400
