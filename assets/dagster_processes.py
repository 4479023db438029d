"""Dagster's web server and daemon as processes of ours."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from assets.instance import prepare_dagster_home
from tidzam_platform.operations.child_process import ChildProcess, free_port
from tidzam_platform.settings import PROJECT_ROOT, Settings

START_TIMEOUT_S: Final = 120.0  # 12 s on an idle machine; training beside it can take the processor


@contextmanager
def dagster_processes(settings: Settings) -> Iterator[tuple[str, list[ChildProcess]]]:
    """Start the web server and the daemon of this home; yields the address, which may not answer yet."""
    folder = prepare_dagster_home(settings)
    host, port = settings.dagster.host, settings.dagster.port or free_port(settings.dagster.host)
    workspace = ["-w", str(PROJECT_ROOT / "workspace.yaml")]
    environment = {
        "DAGSTER_HOME": str(folder),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "TIDZAM_HOME": str(settings.home),
        # Names of assets.* must be found whatever the current folder is.
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    commands = {
        "dagster-webserver": ["dagster_webserver", *workspace, "-h", host, "-p", str(port)],
        "dagster-daemon": ["dagster._daemon", "run", *workspace],
    }
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                ChildProcess(
                    name, [sys.executable, "-m", *command], settings.logs_folder / f"{name}.log", environment
                )
            )
            for name, command in commands.items()
        ]
        yield f"http://{host}:{port}", processes


def answers(address: str) -> bool:
    """Whether the web server at ``address`` answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
    try:
        with opener.open(f"{address}/server_info", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
