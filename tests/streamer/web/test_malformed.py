"""Forty malformed requests: each gets an error, the client stays, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine

URL = "http://example.org/a.ogg"


def sys(**command: Any) -> dict[str, Any]:
    return {"sys": command}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NO_REQUESTS: list[Any] = [
    None, 1, "", "loadsource", [], [{"sys": {"database": ""}}], {}, {"sis": {"database": ""}}, {"sys": None},
    {"sys": ""}, {"sys": []}, {"sys": {}}, {"sys": {"database": "", "del_livestream": ""}},
    {"sys": {"database": ""}, "more": 1}, sys(shutdown=""), {"sys": {"": ""}}, {"sys": {"__class__": ""}},
    sys(database="marsh"), sys(database={}), sys(del_livestream=1), sys(del_livestream=""), sys(add_livestream=5),
    sys(add_livestream={"samplerate": 1}), sys(add_livestream={"samplerate": 10**30}),
    sys(add_livestream={"storage": "yes"}), sys(add_livestream={"port": 1}), b"\x00\x01", deep(150),
]  # fmt: skip
NO_SOURCES: list[Any] = [
    None, "", "marsh", 5, [], ["marsh"], {}, {"url": URL}, {"name": ""}, {"name": None, "url": URL},
    {"name": 5, "url": URL}, {"name": ["m"], "url": URL}, {"name": {"a": 1}, "url": URL},
    {"name": "../../etc", "url": URL}, {"name": "a b", "url": URL}, {"name": "-i", "url": URL},
    {"name": "x" * 65, "url": URL}, {"name": "m\x00", "url": URL}, {"name": "\ud800", "url": URL},
    {"name": "analyzer", "url": URL}, {"name": "m", "url": 5}, {"name": "m", "url": "file:///etc/passwd"},
    {"name": "m", "url": "concat:a|b"}, {"name": "m", "url": "http://"}, {"name": "m", "url": "http://[::1"},
    {"name": "m", "url": "x" * 5000}, {"name": "m", "path": "../secrets/own_token"},
    {"name": "m", "url": URL, "path": "/a"},
    {"name": "m", "url": URL, "date": "yesterday"}, {"name": "m", "url": URL, "date": "2026-13-41-00-00-00"},
    {"name": "m", "url": URL, "channels": "99"}, {"name": "m", "url": URL, "channels": {"a": 1}},
    {"name": "m", "url": URL, "nb_channels": 0}, {"name": "m", "url": URL, "nb_channels": 65},
    {"name": "m", "url": URL, "format": "mp3"}, {"name": "m", "url": URL, "is_permanent": "sometimes"},
    {"name": "m", "url": URL, "latitude": 91, "longitude": 0}, {"name": "m", "url": URL, "latitude": float("nan")},
    {"name": "m", "url": URL, "zone": "Nowhere/Land"}, {"name": "m", "url": URL, "more": 1},
    {"name": "m", "live": True},
    {"name": "m", "device": "; rm -rf /"}, {"name": "m", "url": URL, "database_file_length": 1},
]  # fmt: skip
NO_NAMES: list[Any] = [None, "", "marsh", [], {}, {"name": 5}, {"name": "../m"}, {"name": "m", "more": 1}]
NO_AUDIO: list[tuple[Any, ...]] = [
    (), (None,), ("text",), (5,), ([1, 2],), ({},), (b"",), (b"\x00",), (b"\x00" * 300_000,),
    (b"\x00\x00", b"\x00\x00"),
    ({"buffer": "text"},), ({"buffer": [0, 1]},), ({"buffer": b""},), ({"buffer": b"\x00\x00", "samplerate": 0},),
    ({"buffer": b"\x00\x00", "samplerate": "fast"},), ({"buffer": b"\x00\x00", "storage": 2},),
    ({"buffer": b"\x00\x00", "more": 1},), ({"samplerate": 48000},), ({"buffer": b"\x00\x00", "samplerate": 400_000},),
]  # fmt: skip


def test_there_are_at_least_forty() -> None:
    assert len(NO_REQUESTS) + len(NO_SOURCES) + len(NO_NAMES) + len(NO_AUDIO) >= 40


@pytest.mark.parametrize("request_", NO_REQUESTS, ids=lambda request: str(request)[:40])
def test_no_request_gets_an_error(
    web: WebProcess, client: SocketClient, engine: FakeEngine, request_: Any
) -> None:
    require_refused(web, client, engine, request_, "error")


@pytest.mark.parametrize(
    "described", NO_SOURCES, ids=lambda described: str(described)[:40].encode("ascii", "replace")
)
def test_no_source_gets_a_warning(
    web: WebProcess, client: SocketClient, engine: FakeEngine, described: Any
) -> None:
    require_refused(web, client, engine, sys(loadsource=described), "warning")


@pytest.mark.parametrize("named", NO_NAMES, ids=str)
def test_no_name_gets_a_warning(
    web: WebProcess, client: SocketClient, engine: FakeEngine, named: Any
) -> None:
    require_refused(web, client, engine, sys(unloadsource=named), "warning")


def require_refused(
    web: WebProcess, client: SocketClient, engine: FakeEngine, request: Any, key: str
) -> None:
    engine.sources["kept"] = {"specification": {"name": "kept"}, "keep": True, "owner": None}
    before, asked = engine.state(), list(engine.asked)
    answer = client.ask(request)
    assert sorted(answer) == sorted([key, "request-origin"])
    assert len(answer[key]) > 10
    assert str(web.home) not in answer[key]
    assert (engine.state(), engine.asked) == (before, asked)
    require_well(client)


@pytest.mark.parametrize("values", NO_AUDIO, ids=lambda values: str(values)[:40])
def test_no_audio_gets_an_error(client: SocketClient, engine: FakeEngine, values: tuple[Any, ...]) -> None:
    before = engine.state()
    client.client.emit("audio", values)
    require_well(client)
    (answer,) = [told for told in client.told if "error" in told]
    assert sorted(answer) == ["error", "request-origin"]
    assert engine.state() == before


@pytest.mark.parametrize("event", ["JackSource", "message", "", "é", "x" * 1000])
def test_other_events_get_an_error(client: SocketClient, engine: FakeEngine, event: str) -> None:
    before = engine.state()
    client.client.emit(event, {"anything": 1})
    require_well(client)
    assert any("there is no event" in told.get("error", "") for told in client.told)
    assert engine.state() == before


def require_well(client: SocketClient) -> None:
    """The client is still served."""
    assert "database" in client.call("sys", sys(database=""))["sys"]
