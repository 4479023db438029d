"""The engine's socket: requests, errors of their own class, events, leases, and what is no request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, validate_call

from streamer.engine.control import ControlServer, EngineClient, EventHub
from streamer.engine.control.wire import (
    ENGINE,
    MAX_CONNECTIONS,
    MAX_LINE_BYTES,
    connect,
    run_folder,
    short_path,
)
from tests.support.waiting import wait_for
from tidzam_platform.errors import BusyError, EngineError, EngineUnavailableError, ProcessError, SourceError


class Engine:
    """A control server with three commands, and what its leases came to."""

    def __init__(self, home: Path) -> None:
        self.events, self.ended, self.entered, self.leave = (
            EventHub(),
            [],
            threading.Event(),
            threading.Event(),
        )
        handlers = {"double": double, "fail": fail, "break": break_, "wait": self.wait}
        self.server = ControlServer(home, handlers, self.events, self.ended.append)

    def wait(self) -> dict[str, Any]:
        self.entered.set()
        assert self.leave.wait(20)
        return {}


@validate_call(config=ConfigDict(strict=True))
def double(*, number: int) -> dict[str, Any]:
    return {"number": 2 * number}


def fail() -> dict[str, Any]:
    raise SourceError("no such source; see the list")


def break_() -> dict[str, Any]:
    raise ZeroDivisionError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / ("deep" * 40)  # deeper than a Unix socket's path may be long


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    engine = Engine(home)
    engine.server.start()
    yield engine
    engine.leave.set()
    engine.server.stop()


@pytest.fixture
def client(engine: Engine, home: Path) -> Iterator[EngineClient]:
    with EngineClient(home) as client:
        yield client


def test_a_request_is_answered_and_errors_keep_their_class(client: EngineClient) -> None:
    assert client.request("double", number=21) == {"number": 42}
    with pytest.raises(SourceError, match="no such source"):
        client.request("fail")
    with pytest.raises(EngineError, match="its log says more"):
        client.request("break")
    with pytest.raises(EngineError, match="no command 'sing'"):
        client.request("sing")
    assert client.request("double", number=2) == {"number": 4}


@pytest.mark.parametrize("arguments", [{}, {"number": "2"}, {"number": 2, "other": 3}, {"number": True}])
def test_what_the_command_does_not_take_is_refused_with_its_name(
    client: EngineClient, arguments: dict[str, Any]
) -> None:
    with pytest.raises(EngineError, match=r"double: (number|other)"):
        client.request("double", **arguments)


def test_only_the_owner_may_open_the_socket(engine: Engine, home: Path) -> None:
    assert (home / "run").stat().st_mode & 0o077 == 0
    assert (home / "run" / "engine.sock").stat().st_mode & 0o177 == 0


def test_without_an_engine_the_error_says_how_to_start_one(home: Path) -> None:
    with EngineClient(home) as client:
        for ask in (lambda: client.request("double", number=1), lambda: next(client.events())):
            with pytest.raises(EngineUnavailableError, match="tidzam start engine"):
                ask()


def test_no_answer_in_time_is_an_error_and_the_next_request_gets_its_own(engine: Engine, home: Path) -> None:
    with EngineClient(home, timeout_s=0.3) as client:
        with pytest.raises(EngineUnavailableError):
            client.request("wait")
        engine.leave.set()
        assert client.request("double", number=3) == {"number": 6}


def test_it_stops_within_one_limit_however_many_requests_take_long(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.engine.control.server._STOP_S", 0.2)
    with EngineClient(home, timeout_s=20) as client, ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(client.request, "wait") for _ in range(10)]
        wait_for(lambda: len(engine.server._connections) == 10, "all of them are under way")
        begin_s = time.monotonic()
        engine.server.stop()
        took_s = time.monotonic() - begin_s
        engine.leave.set()
        for one in asked:
            assert one.exception(20) is None or isinstance(one.exception(), EngineUnavailableError)
    assert took_s < 1.5


def test_a_second_engine_on_one_home_is_refused(engine: Engine, client: EngineClient, home: Path) -> None:
    with pytest.raises(ProcessError, match="runs on this home"):
        Engine(home).server.start()
    assert client.request("double", number=1) == {"number": 2}


def test_the_socket_of_an_engine_that_was_killed_is_taken_over(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed, short_path(run_folder(home), ENGINE.socket_name) as path:
        killed.bind(path)
        killed.listen()
    assert (home / "run" / ENGINE.socket_name).exists()
    engine = Engine(home)
    engine.server.start()
    with EngineClient(home) as client:
        assert client.request("double", number=5) == {"number": 10}
    engine.server.stop()


def test_a_client_goes_on_with_an_engine_that_was_started_anew(home: Path) -> None:
    with EngineClient(home) as client:
        for _ in range(2):
            engine = Engine(home)
            engine.server.start()
            assert client.request("double", number=4) == {"number": 8}
            engine.server.stop()


def test_events_reach_everyone_who_listens(engine: Engine, client: EngineClient) -> None:
    streams = [client.events() for _ in range(2)]
    heard: list[list[dict[str, Any]]] = [[], []]
    threads = [
        threading.Thread(target=lambda one=one, into=into: into.extend(next(one) for _ in range(2)))
        for one, into in zip(streams, heard, strict=True)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(engine.events._subscriptions) == 2, "both listen")
    engine.events.publish("channels", count=1)
    engine.events.publish("mixer", channel="pond:out_1")
    for thread in threads:
        thread.join(20)
    assert heard == [[{"event": "channels", "count": 1}, {"event": "mixer", "channel": "pond:out_1"}]] * 2
    for stream in streams:
        stream.close()
    engine.events.publish("end")
    wait_for(
        lambda: not engine.events._subscriptions or not engine.events.publish("end"), "both are forgotten"
    )


def test_a_listener_that_is_slow_is_told_how_much_it_lost() -> None:
    hub = EventHub()
    with hub.subscribe() as subscription:
        for number in range(1003):
            hub.publish("tick", number=number)
        assert subscription.get(0) == {"event": "lost", "count": 3}
        assert subscription.get(0) == {"event": "tick", "number": 3}
    assert hub._subscriptions == ()


def test_what_an_owner_left_ends_with_its_lease(engine: Engine, client: EngineClient) -> None:
    with client.lease("web-1"):
        assert client.request("double", number=1) == {"number": 2}
        assert engine.ended == []
    wait_for(lambda: engine.ended == ["web-1"], "the engine sees that the connection is gone")


@pytest.mark.parametrize(
    "line",
    [
        b"nothing\n",
        b"[]\n",
        b'"double"\n',
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b"{",
        b" " * (MAX_LINE_BYTES + 2),
    ],
    ids=["word", "list", "text", "bytes", "deep", "cut", "long"],
)
def test_what_is_no_line_closes_that_connection_only(
    engine: Engine, client: EngineClient, home: Path, line: bytes
) -> None:
    with connect(home, ENGINE, 20) as connection:
        connection.sendall(line)
        connection.shutdown(1)
        assert connection.recv(1) == b""
    assert client.request("double", number=1) == {"number": 2}


@given(
    st.text(max_size=5) | st.sampled_from(["double", "fail"]) | st.none() | st.integers(),
    st.recursive(
        st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    ),
)
def test_every_object_that_is_no_request_gets_an_error(name: Any, arguments: Any) -> None:
    with TemporaryDirectory() as home:
        answer = json.loads(Engine(Path(home)).server._answer(1, name, arguments))
    assert answer["id"] == 1
    assert answer["error"]


def test_more_connections_than_it_takes_are_told_so(engine: Engine, client: EngineClient, home: Path) -> None:
    connections = [connect(home, ENGINE, 20) for _ in range(MAX_CONNECTIONS)]
    try:
        with pytest.raises(BusyError, match="too many connections"):
            client.request("double", number=1)
    finally:
        for connection in connections:
            connection.close()
    wait_for(lambda: len(engine.server._connections) == 0, "they are gone")
    assert client.request("double", number=1) == {"number": 2}
