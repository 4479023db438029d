"""Who leaves, however it leaves, takes its live stream and the sources with it that are not permanent."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.errors import EngineUnavailableError

PCM = b"\x01\x00" * 1000


def load(client: SocketClient, name: str, **more: Any) -> None:
    described = {"name": name, "url": "http://example.org/a.ogg", **more}
    assert "sys" in client.call("sys", {"sys": {"loadsource": described}})


def open_all(client: SocketClient) -> None:
    load(client, "mine")
    load(client, "permanent", is_permanent=True)
    client.call("audio", PCM)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_disconnect_ends_what_is_the_clients_and_nothing_else(
    web: WebProcess, engine: FakeEngine, transport: str
) -> None:
    with SocketClient(web, web.token()) as other:
        load(other, "theirs")
        other.call("audio", PCM)
        with SocketClient(web, web.token(), [transport]) as client:
            open_all(client)
            assert (set(engine.sources), len(engine.live)) == ({"theirs", "mine", "permanent"}, 2)
        wait_for(lambda: set(engine.sources) == {"theirs", "permanent"} and len(engine.live) == 1, "they end")
        assert other.call("audio", PCM) == {"dropped_frames": 0}


def test_a_client_that_is_cut_off_is_noticed_at_once(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web, web.token(), ["websocket"]) as client:
        open_all(client)
        client.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: set(engine.sources) == {"permanent"} and not engine.live, "they end", 8.0)


@pytest.mark.long  # as long as a silence may be
def test_a_client_that_falls_silent_is_given_up(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web, web.token(), ["websocket"]) as client:
        open_all(client)
        client.client.eio._send_packet = lambda _packet: None  # no pong any more
        wait_for(lambda: set(engine.sources) == {"permanent"} and not engine.live, "they end", 40.0)
        assert client.ended.wait(20)


def test_what_is_opened_while_its_client_leaves_ends_too(web: WebProcess, engine: FakeEngine) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(command: str) -> None:
        if command == "sources.add":
            entered.set()
            assert leave.wait(20)

    engine.before = wait
    with SocketClient(web, web.token(), ["polling"]) as client:
        client.say({"sys": {"loadsource": {"name": "late", "url": "http://example.org/a.ogg"}}})
        assert entered.wait(20)
        ((_, asked),) = [one for one in engine.asked if one[0] == "sources.add"]

        def said_of_it() -> int:
            return engine.farewells.count(asked["owner"])

        session = client.client.eio.sid
        left = web.request("POST", f"/socket.io/?EIO=4&transport=polling&sid={session}", b"41")
        assert left.status == 200
        wait_for(lambda: said_of_it() == 1, "its leaving is told")
        assert engine.sources == {}
        leave.set()
        wait_for(lambda: said_of_it() == 2, "it is told again")
        wait_for(lambda: engine.sources == {}, "the late source ends")


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_when_the_web_process_ends_all_that_its_clients_opened_ends(own_home: Path, how: str) -> None:
    with FakeEngine(own_home) as engine, WebProcess(own_home) as web:
        with SocketClient(web, web.token()) as client:
            open_all(client)
            assert (set(engine.sources), len(engine.live)) == ({"mine", "permanent"}, 1)
            if how == "SIGKILL":
                web.kill()
            else:
                assert web.end() == 0
            wait_for(lambda: set(engine.sources) == {"permanent"} and not engine.live, "they end")
            assert client.ended.wait(20)
        assert len(engine.ended) == 1


def test_a_farewell_is_said_until_the_engine_hears_it(web: WebProcess, engine: FakeEngine) -> None:
    refusals = [1, 2, 3]

    def refuse(command: str) -> None:
        if command == "owner.gone" and refusals:
            refusals.pop()
            raise EngineUnavailableError("not now")

    engine.before = refuse
    with SocketClient(web, web.token()) as client:
        open_all(client)
    wait_for(lambda: set(engine.sources) == {"permanent"} and not engine.live, "they end")
    assert refusals == []


def test_an_engine_that_is_started_anew_is_found(own_home: Path) -> None:
    with WebProcess(own_home) as web, SocketClient(web, web.token()) as client:
        for _ in range(2):
            with FakeEngine(own_home) as engine:
                wait_for(lambda: "dropped_frames" in client.call("audio", PCM), "it takes audio")
                load(client, "mine")
                assert "mine" in engine.sources
            assert web.request("GET", "/readyz").status == 503
            assert web.request("GET", "/healthz").status == 200
