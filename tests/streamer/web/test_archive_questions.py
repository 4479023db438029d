"""Questions that match little end in time, are gone on with, and leave threads to others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from streamer.web.app import WebApp
from streamer.web.archive_questions import MOST_AT_ONCE
from streamer.web.core import WebCore
from streamer.web.detection_views import INCOMPLETE
from streamer.web.sockets.rule_requests import commands_of
from tests.detections.made import heard, keep_in_files
from tidzam_platform.access import Role
from tidzam_platform.detections import reader
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.settings import Settings

PATH = "/api/v1/detections"
DAY_S = 86_400
DAYS = 6


class Desk:
    """An application whose questions end after the first file, and what it tells."""

    def __init__(self, home: Settings, query_s: float) -> None:
        settings = home.model_copy(update={"web": home.web.model_copy(update={"query_s": query_s})})
        self.core = WebCore(settings)
        self.app = WebApp(self.core)
        self.client: FlaskClient = self.app.flask.test_client()

    def close(self) -> None:
        self.app.close()
        self.core.close()

    def ann(self) -> dict[str, str]:
        """The header of somebody who may label."""
        return {"Authorization": f"Bearer {self.core.gateway.tokens.create(Role.LABEL, 'ann')[1]}"}

    def counted(self, name: str) -> int:
        return self.core.counts.read()[name]


@pytest.fixture
def desk(home: Settings) -> Iterator[Desk]:
    made = Desk(home, 1e-9)
    yield made
    made.close()


@pytest.fixture
def archive(desk: Desk) -> list[Detection]:
    """One detection a day, and a class that is heard on the last day alone."""
    made = [heard(day * DAY_S, class_path="birds") for day in range(DAYS)]
    made.append(heard(60, class_path="owls"))
    library = desk.core.library
    keep_in_files(library.catalog, library.store, made)
    return made


def test_pages_that_end_early_say_so_and_go_on(desk: Desk, archive: list[Detection]) -> None:
    found: list[dict[str, Any]] = []
    url, pages = f"{PATH}?class=owls", 0
    while url:
        answer = desk.client.get(url)
        assert answer.status_code == 200, answer.text
        page, link = answer.json, answer.headers.get("Link")
        assert page is not None
        assert page["incomplete"] == (page["next_cursor"] is not None) == (link is not None)
        assert answer.headers.get(INCOMPLETE) == ("true" if page["incomplete"] else None)
        found += page["detections"]
        url, pages = (link.partition(">")[0].removeprefix("<") if link else ""), pages + 1
    assert ([one["id"] for one in found], pages) == ([archive[-1].id], DAYS)
    assert desk.counted("cut_questions_total") == DAYS - 1


@pytest.mark.parametrize("format_name", ["csv", "jsonl", "raven", "audacity", "dwc"])
def test_files_that_end_early_say_so(desk: Desk, archive: list[Detection], format_name: str) -> None:
    answer = desk.client.get(f"{PATH}?class=owls&order=oldest&format={format_name}")
    assert (answer.status_code, answer.headers[INCOMPLETE]) == (200, "true")
    assert 'rel="next"' in answer.headers["Link"]


def test_a_day_of_many_files_is_refused_with_how_to_narrow_it(desk: Desk) -> None:
    library = desk.core.library
    keep_in_files(library.catalog, library.store, [heard(0), heard(0, channel="pond:out_1")])
    answer = desk.client.get(PATH)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (503, "query_deadline")
    assert "Retry-After" in answer.headers
    assert desk.counted("cut_questions_total") == 1
    assert desk.client.get(f"{PATH}?channel=pond:*").status_code == 200


def test_a_detection_that_is_not_found_in_time_wants_hints(desk: Desk, archive: list[Detection]) -> None:
    ann, said = desk.ann(), {"class_path": "birds"}
    for identity in (archive[0].id, "f" * 24):
        answer = desk.client.post(f"{PATH}/{identity}/annotations", json=said, headers=ann)
        assert answer.json is not None
        assert (answer.status_code, answer.json["code"]) == (503, "query_deadline"), identity
    hints = {"start": archive[0].start.isoformat(), "channel": archive[0].channel}
    path = f"{PATH}/{archive[0].id}/annotations"
    assert desk.client.post(path, json=said, headers=ann, query_string=hints).status_code == 201
    wrong = desk.client.post(path, json=said, headers=ann, query_string={"channel": "../x"})
    assert wrong.status_code == 400


def test_a_detection_that_is_not_there_is_not_there(home: Settings) -> None:
    desk = Desk(home, 10.0)
    try:
        keep_in_files(desk.core.library.catalog, desk.core.library.store, [heard()])
        path = f"{PATH}/{'f' * 24}/annotations"
        assert desk.client.post(path, json={"class_path": "birds"}, headers=desk.ann()).status_code == 404
    finally:
        desk.close()


def test_no_more_than_some_look_through_the_archive_at_once(
    desk: Desk, archive: list[Detection], monkeypatch: pytest.MonkeyPatch
) -> None:
    within, go_on = threading.Semaphore(0), threading.Event()
    page = reader.DetectionReader.page

    def held(*given: Any, **more: Any) -> Any:
        within.release()
        assert go_on.wait(20)
        return page(*given, **more)

    monkeypatch.setattr(reader.DetectionReader, "page", held)
    ann = desk.ann()
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        asked = [pool.submit(desk.app.flask.test_client().get, PATH) for _ in range(MOST_AT_ONCE)]
        try:
            assert all(within.acquire(timeout=20) for _ in range(MOST_AT_ONCE))
            refused = [
                desk.client.get(PATH),
                desk.client.post(f"{PATH}/{'f' * 24}/annotations", json={"class_path": "a"}, headers=ann),
            ]
            assert desk.client.get("/healthz").status_code == 200, "others find a thread"
        finally:
            go_on.set()
        assert [one.result().status_code for one in asked] == [200] * MOST_AT_ONCE
    for answer in refused:
        assert answer.json is not None
        assert (answer.status_code, answer.json["code"]) == (503, "busy")
        assert "Retry-After" in answer.headers
    assert desk.counted("refused_questions_total") == 2
    assert desk.client.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "query", ["clips?destination=a%00b", "clips?destination=a%0Ab", "detections?cursor=%00", "clips?rule=%00"]
)
def test_control_characters_in_an_address_are_refused(desk: Desk, query: str) -> None:
    answer = desk.client.get(f"/api/v1/{query}")
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_name")
    assert "control character" in answer.json["error"]


def test_control_characters_in_a_body_are_refused(desk: Desk) -> None:
    token = {"Authorization": f"Bearer {desk.core.gateway.tokens.create(Role.OPERATE, 'bo')[1]}"}
    for body in (
        {"destination": "a\0"},
        {"classes": ["birds", "\x1b"]},
        {"\0": 1},
        {"destination": "\ud800"},
    ):
        answer = desk.client.post("/api/v1/rules", json=body, headers=token)
        assert answer.json is not None
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_name"), answer.text


def test_control_characters_in_a_request_of_socket_io_are_refused() -> None:
    with pytest.raises(InvalidNameError, match="control character"):
        commands_of({"add_rule": {"dst": "a\0"}}, ("add_rule",))
