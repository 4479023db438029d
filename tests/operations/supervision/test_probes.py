"""A probe tells whether a process does its work, and why not; it never raises and never waits for long."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.signature import MODEL_NAME
from tidzam_platform.operations.ports import free_port
from tidzam_platform.operations.supervision.probes import (
    Answer,
    ControlSocketProbe,
    GrpcHealthProbe,
    HttpProbe,
    connected,
    reachable,
)
from tidzam_platform.operations.supervision.processes import process_table
from tidzam_platform.settings import Settings


@contextmanager
def answering(listener: socket.socket, answer: bytes | None) -> Iterator[None]:
    """Answer one connection with these bytes; None: never, and keep it open."""
    closing = threading.Event()

    def serve() -> None:
        with listener.accept()[0] as connection:
            connection.settimeout(10)
            connection.recv(1 << 16)
            if answer is None:
                closing.wait(10)
            else:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join(10)
        assert not thread.is_alive()


def ask_http(answer: bytes | None, timeout_s: float = 5.0) -> Answer:
    with socket.create_server(("127.0.0.1", 0)) as listener, answering(listener, answer):
        return HttpProbe("127.0.0.1", listener.getsockname()[1], "/readyz").ask(timeout_s)


def test_http_200_is_ready_and_anything_else_is_told() -> None:
    assert ask_http(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == Answer(True)
    busy = ask_http(b"HTTP/1.1 503 Busy\r\nContent-Length: 17\r\n\r\nno engine\nanswers")
    assert not busy.ready
    assert "/readyz" in busy.detail
    assert "503 no engine answers" in busy.detail


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2\r\n\r\n"])
def test_what_is_no_http_answer_is_not_ready(answer: bytes) -> None:
    got = ask_http(answer)
    assert not got.ready
    assert got.detail


def test_http_that_does_not_answer_is_given_up() -> None:
    began_s = time.monotonic()
    assert not ask_http(None, timeout_s=0.3).ready
    assert time.monotonic() - began_s < 5


def test_nobody_there_is_not_ready() -> None:
    assert "refused" in HttpProbe("127.0.0.1", free_port(), "/").ask(1).detail


def test_wildcard_addresses_are_asked_on_loopback() -> None:
    assert reachable("0.0.0.0") == "127.0.0.1"  # noqa: S104
    assert reachable("::") == "::1"
    assert reachable("192.0.2.7") == "192.0.2.7"


@pytest.fixture
def control_socket(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A listening socket in a folder whose name is longer than sockets may have."""
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    descriptor = os.open(folder, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{descriptor}/engine.sock")
            listener.listen()
            yield folder / "engine.sock", listener
    finally:
        os.close(descriptor)


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def test_the_engines_socket_is_ready_when_it_answers_status(
    control_socket: tuple[Path, socket.socket],
) -> None:
    path, listener = control_socket
    with answering(listener, _line({"id": 1, "ok": {"sources": 3}})):
        assert ControlSocketProbe(path).ask(5) == Answer(True)


@pytest.mark.parametrize(
    "answer",
    [
        _line({"id": 1, "error": "jackd is gone", "code": "AudioGraphError"}),
        _line([]),
        b"",
        b"{\n",
        b"\xff\n",
        b"[" * 99999,
    ],
)
def test_any_other_answer_of_the_engine_is_not_ready(
    control_socket: tuple[Path, socket.socket], answer: bytes
) -> None:
    path, listener = control_socket
    with answering(listener, answer):
        got = ControlSocketProbe(path).ask(5)
    assert not got.ready
    assert got.detail
    assert ("jackd is gone" in got.detail) == (b"jackd" in answer)


def test_a_socket_that_is_not_there_or_dead_is_not_ready(tmp_path: Path) -> None:
    assert not ControlSocketProbe(tmp_path / "run" / "engine.sock").ask(1).ready
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))  # as kill -9 leaves one
    assert not ControlSocketProbe(tmp_path / "engine.sock").ask(1).ready


def test_connections_leave_no_descriptor_open(control_socket: tuple[Path, socket.socket]) -> None:
    path, _ = control_socket
    before = len(list(Path("/proc/self/fd").iterdir()))
    with connected(path, 1):
        pass
    with pytest.raises(FileNotFoundError), connected(path.with_name("other.sock"), 1):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def health() -> Iterator[tuple[int, Callable[[bool], None]]]:
    """A gRPC server with the health service; its port, and a function that says whether it serves."""
    import grpc
    from grpc_health.v1 import health as services
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    servicer = services.HealthServicer()
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    status = health_pb2.HealthCheckResponse
    yield port, lambda serves: servicer.set("", status.SERVING if serves else status.NOT_SERVING)
    server.stop(None).wait(10)


def test_grpc_health_is_ready_when_it_serves(
    health: tuple[int, Callable[[bool], None]], tmp_path: Path
) -> None:
    port, set_serving = health
    probe = GrpcHealthProbe("127.0.0.1", port, tmp_path / "tidzam")
    set_serving(True)
    assert probe.ask(5) == Answer(True)


def test_a_model_server_without_any_generation_is_ready_to_wait_for_one(
    health: tuple[int, Callable[[bool], None]], tmp_path: Path
) -> None:
    port, set_serving = health
    probe = GrpcHealthProbe("127.0.0.1", port, tmp_path / "tidzam")
    set_serving(False)
    waits = probe.ask(5)
    assert waits.ready
    assert "waits for the first" in waits.detail
    (tmp_path / "tidzam" / "7").mkdir(parents=True)
    loads = probe.ask(5)
    assert not loads.ready
    assert "no generation is served yet" in loads.detail


def test_grpc_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    assert not GrpcHealthProbe("127.0.0.1", free_port(), tmp_path).ask(2).ready


def test_the_model_server_is_asked_for_the_model_that_is_published(home: Settings) -> None:
    probe = process_table(home)["model-server"].probe
    assert isinstance(probe, GrpcHealthProbe)
    assert probe.versions_folder == home.models_folder / MODEL_NAME
