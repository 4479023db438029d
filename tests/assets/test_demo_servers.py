"""The demo's servers: their own ports, others where those are taken meanwhile, never another's server."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from assets.demo_servers import Started, _Server, demo_servers
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.child_process import ChildProcess
from tidzam_platform.settings import Settings, load_settings

LISTENING = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
)


class Taker:
    """Starts servers that find their port taken by someone else, as often as it is told."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times, self.taken = folder, times, list[socket.socket]()

    @contextmanager
    def __call__(self, settings: Settings) -> Iterator[Started]:
        port = settings.model_server.port
        if len(self.taken) < self.times:
            self.taken.append(socket.create_server(("127.0.0.1", port)))
        command = [sys.executable, "-c", LISTENING, str(port)]
        with ChildProcess("a server", command, self.folder / "log", {}) as process:
            yield f"127.0.0.1:{port}", [process]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, settings: Settings, taker: Taker) -> Started:
    stack.callback(lambda: [taken.close() for taken in taker.taken])
    server = _Server(stack, settings, "model_server", taker)
    server.start()
    return server.wait_until_listening()


def test_a_port_that_is_taken_before_the_server_starts_is_replaced(home: Settings, stack: ExitStack) -> None:
    taker = Taker(home.home, times=2)
    address, processes = start(stack, home, taker)
    assert processes[0].is_running()
    assert address not in [f"127.0.0.1:{taken.getsockname()[1]}" for taken in taker.taken]
    assert len(taker.taken) == 2


def test_it_is_not_tried_for_ever(home: Settings, stack: ExitStack) -> None:
    with pytest.raises(ProcessError, match="in use"):
        start(stack, home, Taker(home.home, times=9))


@pytest.mark.parametrize("section", ["MODEL_SERVER", "DAGSTER"])
def test_a_port_that_was_asked_for_is_not_replaced(
    section: str, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(f"TIDZAM_{section}__PORT", str(port))
        with (
            pytest.raises(ProcessError, match=rf"127.0.0.1:{port}: the port is in use"),
            demo_servers(load_settings()),
        ):
            pytest.fail("it took another's server for its own")
