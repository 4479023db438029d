"""Ports: free or taken, and by whom."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tidzam_platform.errors import ListenError, ProcessError
from tidzam_platform.operations.ports import (
    choose_port,
    free_port,
    is_free,
    join_address,
    listens,
    require_free,
)
from tidzam_platform.operations.supervision import configuration


def test_a_port_in_use_is_not_free_and_another_is_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert choose_port("127.0.0.1", port) not in (0, port)
    assert is_free("127.0.0.1", port)
    assert choose_port("127.0.0.1", port) == port
    assert choose_port("127.0.0.1", 0) != 0


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_a_clear_error(host: str) -> None:
    with pytest.raises(ProcessError, match=rf"{host}:0 cannot be listened on"):
        free_port(host)


def test_who_listens_is_told_from_who_only_lives() -> None:
    child = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with (
        socket.create_server(("127.0.0.1", 0)) as ours,
        subprocess.Popen(
            [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        theirs = int(process.stdout.readline())
        assert listens(process.pid, theirs)
        assert not listens(os.getpid(), theirs)
        port = ours.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(process.pid, port)
        process.communicate("\n")
    assert not listens(process.pid, theirs), "it has ended"


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert join_address("::1", 8500) == "[::1]:8500"
    assert join_address("127.0.0.1", 8500) == "127.0.0.1:8500"


def test_who_cannot_have_its_port_says_so_after_supervisor_would_try_again_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        began_s = time.monotonic()
        with pytest.raises(
            ListenError, match=rf"the web process cannot listen on 127.0.0.1:{port}: .* --port"
        ):
            require_free("127.0.0.1", port, "the web process", "--port")
        assert configuration._START_S < time.monotonic() - began_s < 30
    require_free("127.0.0.1", port, "the web process", "--port")
    require_free("127.0.0.1", 0, "the web process", "--port")


def test_a_port_that_is_just_let_go_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        letting_go = threading.Timer(0.3, taken.close)
        letting_go.start()
        try:
            require_free("127.0.0.1", taken.getsockname()[1], "the web process", "--port")
        finally:
            letting_go.join()
