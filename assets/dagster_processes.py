"""Dagster's web server and daemon as processes of ours."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Final

from assets.instance import prepare_dagster_home, put_in_order
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.child_process import ChildProcess, stop_all
from tidzam_platform.operations.ports import free_port, is_free, join_address
from tidzam_platform.settings import PROJECT_ROOT, Settings

START_TIMEOUT_S: Final = 120.0  # 12 s on an idle machine; training beside it can take the processor
_ANSWER_BYTES: Final = 1 << 16
_WORKSPACE: Final = ("-w", str(PROJECT_ROOT / "workspace.yaml"))


@contextmanager
def dagster_processes(settings: Settings) -> Iterator[tuple[str, list[ChildProcess]]]:
    """Start the web server and the daemon of this home; yields the address, which may not answer yet.

    Raises:
        ProcessError: the port is in use.
    """
    host, port = settings.dagster.host, settings.dagster.port or free_port(settings.dagster.host)
    if not is_free(host, port):
        raise ProcessError(
            f"Dagster's web server cannot listen on {host}:{port}: the port is in use; stop what uses it, or choose "
            "another (TIDZAM_DAGSTER__PORT, 0 for any; ./tidzam dagster --port)"
        )
    processes: list[ChildProcess] = []
    try:
        web_server = ["dagster_webserver", *_WORKSPACE, "-h", host, "-p", str(port)]
        processes.append(_start(settings, "dagster-webserver", web_server))
        processes.append(start_daemon(settings))
        yield f"http://{join_address(host, port)}", processes
    finally:
        stop_all(processes)


def start_daemon(settings: Settings) -> ChildProcess:
    """Start the daemon of this home, which starts runs, schedules, sensors and backfills; the caller stops it.

    It is the only one that starts runs of this home: those that a daemon before left behind dead have failed, and are
    tried again.
    """
    put_in_order(settings)
    return _start(settings, "dagster-daemon", ["dagster._daemon", "run", *_WORKSPACE])


def _start(settings: Settings, name: str, command: Sequence[str]) -> ChildProcess:
    environment = {
        "DAGSTER_HOME": str(prepare_dagster_home(settings)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "TIDZAM_HOME": str(settings.home),
        # Names of assets.* must be found whatever the current folder is.
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    log_file = settings.logs_folder / f"{name}.log"
    return ChildProcess(name, [sys.executable, "-m", *command], log_file, environment)


def wait_until_ready(address: str, processes: Sequence[ChildProcess]) -> None:
    """Wait until our web server, not another at its address, answers, and all processes live.

    Raises:
        ProcessError: one of them ended; it did not answer in time.
    """
    webserver, port = processes[0], int(address.rpartition(":")[2])
    deadline_s = time.monotonic() + START_TIMEOUT_S
    webserver.wait_until_listening(port, START_TIMEOUT_S)
    webserver.wait_until(lambda: answers(address), max(1.0, deadline_s - time.monotonic()))
    for process in processes:
        process.require_running()


def answers(address: str) -> bool:
    """Whether a web server of Dagster's answers at ``address``; False for anything else that listens there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
    try:
        with opener.open(f"{address}/server_info", timeout=2) as response:
            answer = json.loads(response.read(_ANSWER_BYTES))
            return isinstance(answer, dict) and "dagster_webserver_version" in answer
    # URLError and timeouts are OSErrors; the other two are what no web server, or no Dagster, answers.
    except (OSError, HTTPException, ValueError):
        return False
