"""start --foreground, as systemd runs it: says when it is ready, ends in order, leaves nothing however it ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.supervision.conftest import Site
from tests.operations.supervision.test_commands import read_until
from tests.support.waiting import wait_for


@pytest.fixture
def pair(site: Site) -> Site:
    """Web, which needs the engine; nothing runs."""
    site.actor("engine")
    site.actor("web", needs=("engine",))
    return site


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        yield listener


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_systemd_and_ends_all_in_order(
    pair: Site, systemd: socket.socket, number: signal.Signals
) -> None:
    with pair.command("start", "--foreground", env={"NOTIFY_SOCKET": systemd.getsockname()}) as process:
        assert systemd.recv(1000) == b"READY=1\nSTATUS=all are ready"
        assert set(pair.supervision.running()) == {"engine", "web"}
        assert "NOTIFY_SOCKET" not in pair.world("web")["environment"]
        process.send_signal(number)
        assert systemd.recv(1000) == b"STOPPING=1"
        told = process.communicate(timeout=60)[1]
        assert process.returncode == 0
    assert told.index("web: stopping") < told.index("engine: stopping")
    pair.assert_nothing_is_left()


def test_what_is_not_ready_ends_nothing_and_is_told(pair: Site, systemd: socket.socket) -> None:
    pair.actor("web", "--idle", ready_s=2)
    with pair.command("start", "--foreground", env={"NOTIFY_SOCKET": systemd.getsockname()}):
        assert systemd.recv(1000) == b"READY=1\nSTATUS=not ready: web"
        assert pair.get("engine", "/readyz") == ""
        pair.supervision.stop()


def test_stop_from_elsewhere_ends_it(pair: Site) -> None:
    with pair.command("start", "--foreground", "--json") as process:
        assert process.stdout is not None
        read_until(process.stdout, '"ok": true')
        pair.supervision.stop()
        assert process.wait(30) == 0
    pair.assert_nothing_is_left()


def test_all_end_when_it_is_killed(pair: Site) -> None:
    with pair.command("start", "--foreground", "--json") as process:
        assert process.stdout is not None
        read_until(process.stdout, '"ok": true')
        process.kill()
        process.wait(30)
        wait_for(lambda: not pair.alive(), "nothing outlives it")


def test_it_ends_with_an_error_when_supervisor_is_killed(pair: Site) -> None:
    with pair.command("start", "--foreground", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        read_until(process.stdout, '"ok": true')
        os.kill(pair.supervisor_pid(), signal.SIGKILL)
        assert process.wait(30) == 1
        assert "Supervisor ended with status -9" in process.stderr.read()


def test_it_refuses_to_run_beside_a_supervisor_in_the_background(pair: Site) -> None:
    pair.supervision.start()
    code, _, err = pair.run("start", "--foreground")
    assert code == 1
    assert "run in the background already" in err
    assert set(pair.supervision.running()) == {"engine", "web"}
