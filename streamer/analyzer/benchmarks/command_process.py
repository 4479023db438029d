"""``./tidzam COMMAND --json`` and the like, each a process of its own on the bench's data folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from tidzam_platform.operations.child_process import ChildProcess

_START_S: Final = 120.0
# The caller's settings hold, but for what would lead out of the bench's folder, or away from what is measured.
_OURS: Final = {
    "TIDZAM_DATABASE_URL": "",
    "TIDZAM_OUTPUTS__FILE": "",
    "TIDZAM_OUTPUTS__ALERTS_FILE": "",
    "TIDZAM_ANALYZER__CHANNELS": '["*"]',
    "TIDZAM_ANALYZER__SHADOW_SHARE": "0",
}


class CommandProcess(ChildProcess):
    """Python with ``arguments`` that says in one line of JSON that it is ready. A context that ends it.

    Args:
        name: for messages and its log.
        arguments: of Python.
        home: the data folder.
        settings: variables, beside the caller's.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], home: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._log = home / "logs" / f"{name}.log"
        environment = {**_OURS, **(settings or {}), "TIDZAM_HOME": str(home)}
        super().__init__(name, [sys.executable, *arguments], self._log, environment)
        self._said: dict[str, Any] = {}

    def wait_until_ready(self) -> dict[str, Any]:
        """What it says once it is ready; ProcessError as ``wait_until``."""
        self.wait_until(self._is_ready, _START_S)
        return self._said

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def _is_ready(self) -> bool:
        lines = self._log.read_text(errors="replace").splitlines(keepends=True)
        said = [line for line in lines if line.startswith("{") and line.endswith("\n")]
        if said:
            self._said = json.loads(said[0])
        return bool(said)


def tidzam(command: str, *arguments: str) -> list[str]:
    """Arguments of Python for a command of ours that serves."""
    return ["-m", "tidzam_platform.cli", command, *arguments, "--json"]


def cpu_s(*processes: psutil.Process) -> float:
    """Processor time that they have used together until now; none of those that have ended."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
