"""The web process starts, says where, ends, and says whether it is well."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamer.web import serve_web
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import Settings


def test_sigterm_ends_it_in_order_with_clients_of_both_kinds(own_home: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home) as web:
        with (
            SocketClient(web, transports=["websocket"]) as first,
            SocketClient(web, transports=["polling"]) as second,
        ):
            first.call("sys", {"sys": {"database": ""}})
            second.call("sys", {"sys": {"database": ""}})
            assert web.end() == 0
            assert first.ended.wait(20)
            assert second.ended.wait(20)
        log = web.log.read_text()
        assert "SIGTERM: stopping" in log
        assert "Traceback" not in log


def test_it_is_ready_while_the_engine_answers_and_its_graph_runs(own_home: Path) -> None:
    with WebProcess(own_home) as web:
        not_ready = web.request("GET", "/readyz")
        assert (not_ready.status, not_ready.body["code"]) == (503, "engine_unavailable")
        assert "tidzam start engine" in not_ready.body["error"]
        assert str(own_home) not in not_ready.body["error"]
        with FakeEngine(own_home) as engine:
            assert web.request("GET", "/readyz").body == {"status": "ready", "graph": "clock"}
            for graph in (None, {"kind": "jack", "running": False}):
                engine.graph = graph
                not_ready = web.request("GET", "/readyz")
                assert (not_ready.status, not_ready.body["code"]) == (503, "graph_unavailable")
        assert web.request("GET", "/healthz").body == {"status": "ok"}


def test_an_engine_that_hangs_holds_up_nobody_for_long(own_home: Path) -> None:
    leave = threading.Event()
    with FakeEngine(own_home) as engine, WebProcess(own_home) as web:
        engine.before = lambda _command: leave.wait(60) and None
        try:
            with ThreadPoolExecutor(30) as pool:
                asked = [pool.submit(web.request, "GET", "/api/v1/sources") for _ in range(24)]
                asked += [pool.submit(web.request, "GET", "/api/v1/channels") for _ in range(6)]
                wait_for(lambda: len(engine.asked) > 8, "all threads wait for the engine")
                assert web.request("GET", "/healthz").status == 200
                assert web.request("GET", "/readyz").status == 503
                assert not any(one.done() for one in asked[:8]), "they still wait"
                leave.set()
                assert {one.result(60).status for one in asked} <= {200, 503}
        finally:
            leave.set()


def test_a_request_that_never_ends_is_cut_off_and_others_are_answered(own_home: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home) as web:
        host, _, port = web.address.rpartition(":")
        slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(30)]
        try:
            for connection in slow:
                connection.sendall(b"GET /socket.io/?EIO=4&transport=polling HTT")
            assert web.request("GET", "/healthz").status == 200
            with SocketClient(web) as client:
                assert "sys" in client.ask({"sys": {"database": ""}})
        finally:
            for connection in slow:
                connection.close()


def test_long_polls_leave_threads_to_everybody_else(own_home: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home) as web:
        host, _, port = web.address.rpartition(":")
        polls = []
        try:
            for _ in range(40):
                opened = web.request("GET", "/socket.io/?EIO=4&transport=polling").body.decode()
                session = opened.split('"sid":"')[1].split('"')[0]
                connection = socket.create_connection((host, int(port)), timeout=20)
                polls.append(connection)
                path = f"/socket.io/?EIO=4&transport=polling&sid={session}"
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert web.request("GET", "/readyz").status == 200
            assert web.request("GET", "/api/v1/sources").status == 200
        finally:
            for connection in polls:
                connection.close()


def test_a_port_that_is_taken_is_an_error_that_says_so(web: WebProcess, home: Settings) -> None:
    port = int(web.address.rpartition(":")[2])
    with pytest.raises(ProcessError, match=f":{port}.*--port, or web.port"):
        serve_web(port=port, settings=home)
