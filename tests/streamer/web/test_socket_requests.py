"""The requests of the original's source manager, by python-socketio's own client: each gets the original's answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for

MARSH = {"name": "marsh", "url": "http://example.org/marsh.ogg"}


@pytest.fixture(params=["polling, then websocket", "websocket", "polling"])
def any_client(request: pytest.FixtureRequest, web: WebProcess, engine: FakeEngine) -> Any:
    transports = None if "then" in request.param else [request.param]
    with SocketClient(web, web.token(), transports) as client:
        expected = "websocket" if transports is None else request.param
        wait_for(lambda: client.client.transport() == expected, "the transport is chosen")
        yield client


def load(**more: Any) -> dict[str, Any]:
    return {"sys": {"loadsource": {**MARSH, **more}}}


def test_loadsource_and_unloadsource(any_client: SocketClient, engine: FakeEngine) -> None:
    any_client.say(load(channels="0,3", format="ogg", date="2026-04-01-05-30-00", database="marsh"))
    wait_for(lambda: "marsh" in engine.sources, "it is loaded")
    assert engine.sources["marsh"]["specification"] == {
        **MARSH, "channels": "0,3", "date": "2026-04-01-05-30-00", "database": "marsh",
    }  # fmt: skip
    assert engine.sources["marsh"]["keep"] is False
    any_client.say({"sys": {"unloadsource": {"name": "marsh"}}})
    wait_for(lambda: not engine.sources, "it is unloaded")
    assert any_client.told == []  # the original says nothing


def test_loadsource_with_a_name_alone_means_unloadsource(client: SocketClient, engine: FakeEngine) -> None:
    assert client.call("sys", load())["sys"]["loadsource"]["name"] == "marsh"
    assert client.call("sys", {"sys": {"loadsource": {"name": "marsh"}}}) == {
        "sys": {"unloadsource": {"name": "marsh"}}
    }
    assert engine.sources == {}


def test_an_existing_name_is_replaced(client: SocketClient, engine: FakeEngine) -> None:
    client.call("sys", load())
    client.call("sys", load(url="http://example.org/other.ogg"))
    assert engine.sources["marsh"]["specification"]["url"] == "http://example.org/other.ogg"


@pytest.mark.parametrize("channels", ["channel4,test_chan5", "", None])
def test_channels_by_name_or_none(client: SocketClient, engine: FakeEngine, channels: Any) -> None:
    client.call("sys", load(channels=channels))
    chosen = engine.sources["marsh"]["specification"].get("channels")
    assert chosen == ("3,4" if channels else None)


def test_what_forms_leave_empty_counts_as_not_said(client: SocketClient, engine: FakeEngine) -> None:
    client.call("sys", load(database="", date="", channels="", format="", is_permanent=False))
    assert engine.sources["marsh"]["specification"] == MARSH


@pytest.mark.parametrize("is_permanent", [True, False])
def test_who_owns_a_source(client: SocketClient, engine: FakeEngine, is_permanent: bool) -> None:
    client.call("sys", load(is_permanent=is_permanent))
    source = engine.sources["marsh"]
    assert (source["keep"], source["owner"] is None) == (is_permanent, is_permanent)


@pytest.mark.parametrize(
    "request_",
    [{"sys": {"loadsource": {**MARSH, "name": "full"}}}, {"sys": {"unloadsource": {"name": "nobody"}}}],
)
def test_a_failure_is_a_warning_with_the_request(any_client: SocketClient, request_: dict[str, Any]) -> None:
    answer = any_client.ask(request_)
    assert sorted(answer) == ["request-origin", "warning"]
    assert answer["request-origin"] == request_
    assert len(answer["warning"]) > 10


def test_database(any_client: SocketClient) -> None:
    assert any_client.ask({"sys": {"database": ""}}) == {
        "sys": {"database": {"marsh": {"nb_channels": 2, "database": [["a", "b"]]}}}
    }


def test_add_livestream_answers_in_both_forms_and_del_livestream_ends_it(
    any_client: SocketClient, engine: FakeEngine
) -> None:
    told = {"portname": "tidzam-livestreams:out_1", "samplerate": 48_000, "filename": ""}
    assert any_client.ask({"sys": {"add_livestream": ""}}) == {**told, "sys": told}
    assert [stream["rate_hz"] for stream in engine.live.values()] == [48_000]
    any_client.say({"sys": {"del_livestream": ""}})
    wait_for(lambda: not engine.live, "it is closed")
    assert len(any_client.told) == 1


@pytest.mark.parametrize("request_", ["text", 5, ["list"], None, '{"sys": {"database": ""}}', True])
def test_what_is_no_object_is_answered_in_the_original_words(any_client: SocketClient, request_: Any) -> None:
    assert any_client.ask(request_) == {"error": "request must be a JSON.", "request-origin": request_}


def test_who_may_only_listen_is_told_so(web: WebProcess, engine: FakeEngine) -> None:
    for token in (None, web.token("label")):
        with SocketClient(web, token) as client:
            for request_ in (load(), {"sys": {"unloadsource": {"name": "marsh"}}}):
                answer = client.ask(request_)
                assert "role operate" in answer["warning"]
                assert answer["request-origin"] == request_
            assert "database" in client.ask({"sys": {"database": ""}})["sys"]
    assert [command for command, _ in engine.asked if command.startswith("sources")] == []


def test_an_engine_that_is_not_there_is_a_warning_and_not_the_end(own_home: Any) -> None:
    with WebProcess(own_home) as web, SocketClient(web, web.token()) as client:
        answer = client.ask({"sys": {"unloadsource": {"name": "marsh"}}})
        assert "tidzam start engine" in answer["warning"]
        assert "error" in client.ask({"sys": {"database": ""}})
        with FakeEngine(own_home) as engine:
            wait_for(lambda: "sys" in client.call("sys", load()), "the engine is found")
            assert "marsh" in engine.sources


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"unloadsource": 5}, "unloadsource: this must be an object (fields: name)"),
        ({"unloadsource": {"name": 5}}, "unloadsource, name: this must be a string"),
        ({"subscribe": {"channels": "marsh:*"}}, "subscribe, channels: this must be an array, [...]"),
        ({"subscribe": {"form": "odd"}}, "subscribe, form: this must be 'new', 'old' or 'brief'"),
        ({"loadsource": {"url": MARSH["url"]}}, "the source: name: this field is missing"),
    ],
)
def test_refusals_say_in_terms_of_json_what_is_expected(
    client: SocketClient, request_: dict[str, Any], said: str
) -> None:
    answer = client.ask({"sys": request_})
    assert (answer.get("warning") or answer.get("error")) == said
