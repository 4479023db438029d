"""The gateway as a process: it starts, ends, and gives up senders who keep it waiting."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask, request

from serving.cli.serve import serve as serve_command
from serving.gateway import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.gateway.http_server import GatewayServer
from tests.serving.gateway.gateway_process import GatewayProcess
from tests.support.waiting import wait_for
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import GatewaySettings, Settings

HOST = "127.0.0.1"


@pytest.fixture
def app(home: Settings) -> Flask:
    return create_gateway_app(home)


@contextmanager
def running(app: Flask, settings: GatewaySettings) -> Iterator[GatewayServer]:
    server = GatewayServer(app, settings, host=HOST, port=0)
    server.start()
    yield server
    assert server.stop()


@pytest.fixture
def server(app: Flask) -> Iterator[GatewayServer]:
    with running(app, GatewaySettings(receive_s=1.0, max_connections=4)) as server:
        yield server


def connect(server: GatewayServer) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_sigterm_ends_it_and_the_token_stays(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "home", "127.0.0.1:1") as process:
        token = process.token
        assert process.request("GET", "/ping").body["message"] == "Pong"
        assert process.end() == 0
        assert "Traceback" not in process.log.read_text()
        assert token not in process.log.read_text()
    with GatewayProcess(tmp_path / "home", "127.0.0.1:1") as process:
        assert process.token == token


def test_uploads_that_a_killed_process_left_are_removed_at_the_start(home: Settings) -> None:
    left = home.home / "spool" / "gateway" / ".partial" / "999999999-abc"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"somebody's voice")
    GatewayCore(home)
    assert not left.exists()
    assert (home.home / "spool" / "gateway").stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_an_error(server: GatewayServer, app: Flask) -> None:
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(ProcessError, match=str(port)):
        GatewayServer(app, GatewaySettings(), host=HOST, port=port).start()
    with pytest.raises(ProcessError, match="nowhere"):
        GatewayServer(app, GatewaySettings(), host="nowhere.invalid", port=0).start()


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /ping HT",
        b"POST /api/v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nslow",
        b"POST /api/v1/detect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nslow",
    ],
)
def test_a_sender_who_never_ends_is_cut_off(server: GatewayServer, begun: bytes) -> None:
    with connect(server) as slow:
        slow.sendall(begun)
        answer = b"".join(iter(lambda: slow.recv(1 << 16), b""))  # to the end of the connection
    assert answer.split()[1] == b"408"
    assert b'"too_slow"' in answer
    with connect(server) as other:
        other.sendall(b"GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in other.recv(100)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"GET /api/v1/docs HTTP/1.0\r\n\r\n", b"400"),  # no Host
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\n x\r\nbad header\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"400"),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n",
            b"413",
        ),
    ],
)
def test_what_is_no_request_is_answered_with_a_reason_in_json(
    server: GatewayServer, begun: bytes, status: bytes
) -> None:
    with connect(server) as sender:
        sender.sendall(begun)
        answer = b"".join(iter(lambda: sender.recv(1 << 16), b""))
    assert answer.split()[1] == status
    assert b'"error"' in answer
    assert b"application/json" in answer


@pytest.mark.parametrize("body_comes_with_it", [False, True])
def test_who_asks_whether_to_go_on_keeps_its_connection(app: Flask, body_comes_with_it: bool) -> None:
    @app.post("/echo")
    def echo() -> bytes:
        return request.get_data()

    with running(app, GatewaySettings()) as server, connect(server) as sender, sender.makefile("rb") as lines:
        for text in (b"first", b"after"):  # the second one finds the connection in step
            head = (
                b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
            sender.sendall(head + text if body_comes_with_it else head)
            answer = lines.readline()
            if not body_comes_with_it or b" 100 " in answer:  # which may come though nobody waits for it
                assert answer.split()[1] == b"100"
                assert lines.readline() == b"\r\n"
                if not body_comes_with_it:
                    sender.sendall(text)
                answer = lines.readline()
            assert answer.split()[1] == b"200"
            while lines.readline() != b"\r\n":
                pass
            assert lines.read(5) == text


def test_head_gets_no_body_and_leaves_the_connection_in_step(server: GatewayServer) -> None:
    with connect(server) as sender, sender.makefile("rb") as lines:
        for method in (b"HEAD", b"HEAD", b"GET"):
            sender.sendall(method + b" /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert lines.readline().split()[:2] == [b"HTTP/1.1", b"404"]
            headers = dict(line.split(b": ", 1) for line in iter(lines.readline, b"\r\n"))
        assert b'"error"' in lines.read(int(headers[b"Content-Length"]))


def test_requests_under_way_are_answered_when_it_stops(app: Flask) -> None:
    entered, leave = threading.Event(), threading.Event()

    @app.get("/slow")
    def slow() -> str:
        entered.set()
        assert leave.wait(20)
        return "done"

    server = GatewayServer(app, GatewaySettings(), host=HOST, port=0)
    server.start()
    with connect(server) as waiting:
        waiting.sendall(b"GET /slow HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert entered.wait(20)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        leave.set()
        answer = b"".join(iter(lambda: waiting.recv(1 << 16), b""))
        stopping.join(20)
    assert answer.endswith(b"done")


def test_a_sender_who_hangs_up_is_noticed(app: Flask) -> None:
    from serving.gateway.requests import gone

    entered, seen = threading.Event(), threading.Event()

    @app.get("/watch")
    def watch() -> str:
        entered.set()
        hung_up = gone(request._get_current_object())  # type: ignore[attr-defined]
        wait_for(hung_up, "the sender hangs up")
        seen.set()
        return ""

    server = GatewayServer(app, GatewaySettings(), host=HOST, port=0)
    server.start()
    with connect(server) as sender:
        sender.sendall(b"GET /watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert entered.wait(20)
        assert not seen.wait(0.2), "it is still there"
    assert seen.wait(20)
    assert server.stop()


def test_a_second_request_that_never_ends_is_cut_off_while_the_first_is_answered(app: Flask) -> None:
    entered, leave, calls = threading.Event(), threading.Event(), []

    @app.get("/slow")
    def slow() -> str:
        calls.append(1)
        entered.set()
        assert leave.wait(60)
        return "done"

    server = GatewayServer(app, GatewaySettings(receive_s=1.0), host=HOST, port=0)
    server.start()
    with connect(server) as sender:
        sender.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert entered.wait(20)
        sender.sendall(b"POST /ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nslow")
        (channel,) = server._server.active_channels.values()
        wait_for(lambda: len(channel.requests) == 2, "the second one is given up")
        leave.set()
        answer = b"".join(iter(lambda: sender.recv(1 << 16), b""))
    assert calls == [1]
    assert answer.count(b"done") == 1
    assert b" 408 " in answer.split(b"done")[1]
    assert server.stop()


@pytest.mark.parametrize("option", [["--rest-port", "0"], ["--no-rest"]])
def test_options_of_the_model_server_are_refused(option: list[str]) -> None:
    answer = CliRunner().invoke(serve_command, ["--http", *option])
    assert answer.exit_code == 2
    assert "--rest-port and --no-rest" in answer.output
