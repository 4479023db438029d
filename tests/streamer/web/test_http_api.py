"""Sources, channels and the mixer over HTTP: what the engine is asked, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.access import Role
from tidzam_platform.errors import (
    AudioGraphError,
    EngineError,
    FetchError,
    ProcessError,
    RefusedAddressError,
    SourceError,
)

MARSH = {"name": "marsh", "url": "http://example.org/marsh.ogg", "nb_channels": 2}


@pytest.fixture
def operate(web: WebProcess) -> str:
    return web.token(Role.OPERATE)


def test_a_source_is_added_listed_sought_and_removed(
    web: WebProcess, engine: FakeEngine, operate: str
) -> None:
    added = web.request("POST", "/api/v1/sources", {**MARSH, "is_permanent": True}, token=operate)
    assert (added.status, added.body["name"], added.body["channels"]) == (
        201,
        "marsh",
        ["marsh:out_1", "marsh:out_2"],
    )
    assert engine.sources["marsh"]["keep"] is True
    assert engine.sources["marsh"]["owner"] is None
    assert [one["name"] for one in web.request("GET", "/api/v1/sources").body["sources"]] == ["marsh"]
    assert web.request("GET", "/api/v1/sources/marsh").body["transitions"] == []
    sought = web.request("POST", "/api/v1/sources/marsh/seek", {"date": "2026-04-01-05-30-00"}, token=operate)
    assert (sought.status, engine.sources["marsh"]["date"]) == (200, "2026-04-01-05-30-00")
    assert web.request("DELETE", "/api/v1/sources/marsh", token=operate).body == {"name": "marsh"}
    assert engine.sources == {}


def test_the_engine_is_told_what_was_asked_and_no_more(
    web: WebProcess, engine: FakeEngine, operate: str
) -> None:
    asked = {
        "name": "m",
        "path": "/a/b.opus",
        "channels": "0,3",
        "format": "copy",
        "zone": "Europe/Paris",
        "url": "",
    }
    assert web.request("POST", "/api/v1/sources", asked, token=operate).status == 201
    assert engine.asked[-1] == (
        "sources.add",
        {
            "specification": {
                "name": "m", "path": "/a/b.opus", "channels": "0,3", "format": "copy", "zone": "Europe/Paris",
            },
            "keep": False,
            "must_be_allowed": True,
        },
    )  # fmt: skip


def test_what_a_source_was_asked_as_is_told_to_operators_only(
    web: WebProcess, engine: FakeEngine, operate: str
) -> None:
    web.request("POST", "/api/v1/sources", {"name": "m", "path": "/private/b.opus"}, token=operate)
    for path in ("/api/v1/sources", "/api/v1/sources/m"):
        assert "/private" in str(web.request("GET", path, token=operate).body)
        assert "/private" not in str(web.request("GET", path, token=web.token(Role.LABEL)).body)
        assert "/private" not in str(web.request("GET", path).body)


def test_channels_are_told_with_levels_and_mounts(web: WebProcess, engine: FakeEngine, operate: str) -> None:
    web.request("POST", "/api/v1/sources", MARSH, token=operate)
    from tests.support.waiting import wait_for

    wait_for(lambda: len(web.request("GET", "/api/v1/channels").body["channels"]) == 2, "the cache forgets")
    channel = web.request("GET", "/api/v1/channels").body["channels"][0]
    assert channel["channel"] == "marsh:out_1"
    assert channel["mounts"][0].endswith("/marsh-out_1.opus")
    assert channel["rms_dbfs"] == -20


def test_the_mixer_is_set_in_the_name_of_the_token_and_released(web: WebProcess, engine: FakeEngine) -> None:
    token = web.tokens.create(Role.OPERATE, "ann of the marsh")[1]
    web.request("POST", "/api/v1/sources", MARSH, token=token)
    path = "/api/v1/mixer/marsh:out_2"
    changed = web.request("PUT", path, {"gain_db": -6, "mute": True}, token=token)
    assert (changed.status, changed.body["muted"], changed.body["by"]) == (200, True, "ann of the marsh")
    assert engine.mixer == {"marsh:out_2": {"gain_db": -6, "mute": True, "by": "ann of the marsh"}}
    assert web.request("DELETE", path, token=token).body["muted"] is False
    assert (engine.mixer, engine.released_by[-1]) == ({}, "ann of the marsh")
    assert len(web.request("GET", "/api/v1/mixer/audit?limit=3").body["changes"]) == 3


def test_the_database_is_told(web: WebProcess, engine: FakeEngine) -> None:
    assert web.request("GET", "/api/v1/database").body == {
        "database": {"marsh": {"nb_channels": 2, "database": [["a", "b"]]}}
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/sources/nobody", None, 404),
        ("GET", "/api/v1/sources/..%2f..", None, 404),
        ("GET", "/api/v1/sources/-x", None, 400),
        ("DELETE", "/api/v1/sources/nobody", None, 404),
        ("DELETE", "/api/v1/sources/a b".replace(" ", "%20"), None, 400),
        ("POST", "/api/v1/sources", [], 400),
        ("POST", "/api/v1/sources", "marsh", 400),
        ("POST", "/api/v1/sources", {}, 400),
        ("POST", "/api/v1/sources", {"name": "m"}, 400),
        ("POST", "/api/v1/sources", {"name": 5, "url": "http://a.example"}, 400),
        ("POST", "/api/v1/sources", {"name": "../m", "url": "http://a.example"}, 400),
        ("POST", "/api/v1/sources", {"name": "m", "url": "file:///etc/passwd"}, 400),
        ("POST", "/api/v1/sources", {"name": "m", "url": "http://a.example", "nb_channels": 65}, 400),
        ("POST", "/api/v1/sources", {"name": "m", "url": "http://a.example", "colour": 1}, 400),
        ("POST", "/api/v1/sources", {"name": "m", "live": True}, 400),
        ("POST", "/api/v1/sources", b"{", 400),
        ("POST", "/api/v1/sources", b"[" * 60_000, 400),
        ("POST", "/api/v1/sources", b" " * 70_000, 413),
        ("POST", "/api/v1/sources/nobody/seek", {"date": "2026-04-01-05-30-00"}, 404),
        ("POST", "/api/v1/sources/nobody/seek", {"date": "yesterday"}, 400),
        ("POST", "/api/v1/sources/nobody/seek", {}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", {"mute": True}, 404),
        ("PUT", "/api/v1/mixer/nobody", {"mute": True}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_0", {"mute": True}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", {}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", {"mute": "yes"}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", {"gain_db": 25}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", {"gain_db": True}, 400),
        ("PUT", "/api/v1/mixer/nobody:out_1", b'{"gain_db": NaN}', 400),
        ("DELETE", "/api/v1/mixer/nobody:out_1", None, 404),
        ("GET", "/api/v1/mixer/audit?limit=0", None, 400),
        ("GET", "/api/v1/mixer/audit?limit=1001", None, 400),
        ("GET", "/api/v1/nothing", None, 404),
        ("PATCH", "/api/v1/sources", None, 405),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_a_reason_and_changes_nothing(
    web: WebProcess, engine: FakeEngine, operate: str, method: str, path: str, body: Any, status: int
) -> None:
    engine.sources["kept"] = {"specification": {"name": "kept"}, "keep": True, "owner": None}
    before = engine.state()
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = web.request(method, path, body, token=operate, headers=headers)
    assert (answer.status, sorted(answer.body)) == (status, ["code", "error"])
    assert len(answer.body["error"]) > 5
    assert engine.state() == before


def test_bodies_are_json_and_say_so(web: WebProcess, engine: FakeEngine, operate: str) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = web.request(
            "POST", "/api/v1/sources", b"{}", token=operate, headers={"Content-Type": content_type}
        )
        assert (answer.status, answer.body["code"]) == (415, "no_json")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SourceError("too many"), 400, "bad_source"),
        (RefusedAddressError("not there"), 403, "refused_address"),
        (FetchError("no answer"), 502, "fetch_failed"),
        (EngineError("no"), 502, "engine_failed"),
        (AudioGraphError("no JACK"), 503, "graph_unavailable"),
        (ProcessError("no ffmpeg"), 502, "process_failed"),
    ],
)
def test_what_the_engine_says_is_told_by_its_kind(
    web: WebProcess, engine: FakeEngine, operate: str, error: Exception, status: int, code: str
) -> None:
    def fail(command: str) -> None:
        if command == "sources.add":
            raise error

    engine.before = fail
    answer = web.request("POST", "/api/v1/sources", MARSH, token=operate)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert str(error) in answer.body["error"]
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_where_our_folders_are_is_not_told(web: WebProcess, engine: FakeEngine, operate: str) -> None:
    def fail(_command: str) -> None:
        raise SourceError(f"{web.home}/archive/x cannot be read")

    engine.before = fail
    answer = web.request("POST", "/api/v1/sources", MARSH, token=operate)
    assert str(web.home) not in answer.body["error"]
    assert "archive/x" in answer.body["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        (
            "PUT",
            "mixer/marsh:out_1",
            {"volume": 3},
            400,
            "mixer, volume: there is no such field (fields: gain_db, mute, solo)",
        ),
        ("PUT", "mixer/marsh:out_1", {"mute": "yes"}, 400, "mixer, mute: this must be true or false"),
        ("POST", "sources", {"url": MARSH["url"]}, 400, "the source: name: this field is missing"),
        (
            "GET",
            "nosuch",
            None,
            404,
            "there is nothing at this address; /api/v1/docs lists all that there is",
        ),
        (
            "PATCH",
            "sources",
            None,
            405,
            "this method is not possible here; possible are GET, HEAD, OPTIONS, POST (see /api/v1/docs)",
        ),
    ],
)
def test_refusals_say_how_to_mend_it(
    web: WebProcess,
    engine: FakeEngine,
    operate: str,
    method: str,
    path: str,
    body: Any,
    status: int,
    said: str,
) -> None:
    refused = web.request(method, f"/api/v1/{path}", body, token=operate)
    assert (refused.status, refused.body["error"]) == (status, said)
    assert engine.asked == []
