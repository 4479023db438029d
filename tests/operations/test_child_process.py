"""Child processes: a dead one is told at once, and none is left behind."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.child_process import ChildProcess, stop_all, watch

LISTENING = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
)
WITH_A_CHILD = (
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(p.pid, flush=True); time.sleep(60)"
)


def python(tmp_path: Path, code: str, *arguments: str, name: str = "a server") -> ChildProcess:
    return ChildProcess(name, [sys.executable, "-c", code, *arguments], tmp_path / f"{name}.log", {})


def test_a_dead_child_is_an_error_though_something_else_answers(tmp_path: Path) -> None:
    with python(tmp_path, "print('the reason'); raise SystemExit(3)") as process:
        wait_for(lambda: not process.is_running(), "its end")
        with pytest.raises(ProcessError, match=r"a server ended with status 3.*\n(.*\n)*the reason"):
            process.wait_until(lambda: True, 10)


def test_only_its_own_port_counts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            python(tmp_path, LISTENING, str(port)) as process,
            pytest.raises(ProcessError, match="in use"),
        ):
            process.wait_until_listening(port, 20)
    with python(tmp_path, LISTENING, str(port)) as process:
        process.wait_until_listening(port, 20)


def test_the_watch_ends_with_the_log_of_the_one_that_ended(tmp_path: Path) -> None:
    with (
        python(tmp_path, "import time; time.sleep(60)", name="one") as lives,
        python(tmp_path, "print('no room'); raise SystemExit(7)", name="two") as dies,
        pytest.raises(ProcessError, match=r"two ended with status 7.*\n(.*\n)*no room"),
    ):
        watch([lives, dies])


def test_stopping_ends_whole_groups(tmp_path: Path) -> None:
    processes = [python(tmp_path, WITH_A_CHILD, name=name) for name in ("one", "two")]
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    wait_for(lambda: all(log.read_text().endswith("\n") for log in logs), "both children")
    grandchildren = [int(log.read_text()) for log in logs]
    stop_all(processes)
    assert not any(process.is_running() for process in processes)
    wait_for(lambda: not any(lives(pid) for pid in grandchildren), "the end of the grandchildren")


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_child_hears_sigint_though_we_ignore_it(tmp_path: Path) -> None:
    """Dagster gives SIGTERM the handler of SIGINT: one that ignores it would have to be killed."""
    code = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from tidzam_platform.operations.child_process import ChildProcess\n"
        "command = [sys.executable, '-c', 'import signal; print(signal.getsignal(signal.SIGINT))']\n"
        "with ChildProcess('x', command, Path(sys.argv[1]), {}) as child: child._process.wait()\n"
    )
    inner = tmp_path / "inner.log"
    with python(tmp_path, code, str(inner)) as process:
        wait_for(lambda: not process.is_running(), "its end")
    assert "default_int_handler" in inner.read_text()
