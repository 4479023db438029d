"""``./tidzam dagster``: it answers for its own web server only, and ends with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from assets.dagster_processes import answers
from tests.support.crash import cli_environment
from tests.support.in_process import run_here
from tests.support.waiting import wait_for
from tidzam_platform.errors import ListenError
from tidzam_platform.operations.ports import free_port


class _Anything(BaseHTTPRequestHandler):
    """Answers 200 to every path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextmanager
def another_web_server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Anything) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def no_web_server() -> Iterator[int]:
    """Sends a line that is no HTTP to who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("other", [another_web_server, no_web_server])
def test_what_is_not_dagster_is_not_taken_for_it(other, tmp_path: Path) -> None:
    with other() as port:
        assert not answers(f"http://127.0.0.1:{port}")
        ended = run_here(["dagster", "--port", str(port)], tmp_path / "home")
    assert ended.returncode == ListenError.exit_code
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use" in ended.stderr
    assert "answers" not in ended.stdout
    assert "Traceback" not in ended.stderr


def processes_of(home: Path) -> list[int]:
    """Processes that live and have the home in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if f"TIDZAM_HOME={home}".encode() in environment:
            found.append(int(folder.name))
    return found


@contextmanager
def running_dagster(home: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, when Dagster answers."""
    command = [sys.executable, "-m", "tidzam_platform.cli", "dagster", "--port", str(free_port())]
    with (
        (home.parent / "stderr").open("w") as stderr,
        subprocess.Popen(
            command, env=cli_environment(home), stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert "Dagster answers" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)],
)
def test_a_signal_ends_everything_grandchildren_included(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with running_dagster(home) as process:
        assert len(processes_of(home)) > 3, "webserver and daemon have servers of code locations"
        process.send_signal(number)
        assert process.wait(30) == code
        wait_for(lambda: not processes_of(home), "the end of all", 3)
    assert (tmp_path / "stderr").read_text().strip().endswith("tidzam: stopped")


@pytest.mark.long
def test_a_dagster_process_that_ends_is_an_error_with_its_log(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_dagster(home) as process:
        for pid in processes_of(home):
            if b"dagster._daemon" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)
        assert process.wait(30) == 1
        wait_for(lambda: not processes_of(home), "the end of all", 3)
    assert "dagster-daemon ended with status -9" in (tmp_path / "stderr").read_text()
