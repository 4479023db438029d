"""The base of all helpers that start a server of ours: it never hangs, and what went wrong is shown."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import server_process
from tests.support.server_process import HttpServerProcess, ServerProcess, as_variables

_SERVER = """
import signal, sys
signal.signal(signal.SIGTERM, {at_sigterm})
print('{{"address": "here:1"}}', flush=True)
while True:
    signal.pause()
"""


def test_it_is_ready_inside_and_ended_by_sigterm_after(tmp_path: Path) -> None:
    server = _SERVER.format(at_sigterm="lambda *_: sys.exit(7)")
    with HttpServerProcess(tmp_path / "home", ["-c", server], {}) as one:
        assert (one.address, one.url) == ("here:1", "http://here:1")
    assert one._process.returncode == 7


def test_one_that_does_not_start_fails_the_test_with_what_it_said(tmp_path: Path) -> None:
    broken = ServerProcess(tmp_path, ["-c", "import sys; sys.exit('no room on the disk')"], {})
    with pytest.raises(pytest.fail.Exception, match=r"not ready.*exit code.*\n.*no room on the disk"), broken:
        pytest.fail("it is not ready")
    assert broken._process.poll() == 1


def test_one_that_is_deaf_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_process, "STOP_S", 0.5)
    deaf = _SERVER.format(at_sigterm="signal.SIG_IGN")
    with ServerProcess(tmp_path, ["-c", deaf], {}) as one:
        pass
    assert one._process.returncode == -signal.SIGKILL


def test_settings_become_variables() -> None:
    settings = {"port": 1, "allowed_origins": ["http://a"], "model_server__port": 2, "enabled": False}
    assert as_variables(settings, "web") == {
        "TIDZAM_WEB__PORT": "1",
        "TIDZAM_WEB__ALLOWED_ORIGINS": '["http://a"]',
        "TIDZAM_MODEL_SERVER__PORT": "2",
        "TIDZAM_WEB__ENABLED": "false",
    }
