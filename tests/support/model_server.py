"""The real model server, as ``./tidzam serve`` starts it, in a process of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.crash import cli_environment

START_DEADLINE_S = 60.0  # TensorFlow's import on a machine that does other things too
STOP_DEADLINE_S = 10.0
_SERVE = [sys.executable, "-m", "tidzam_platform.cli", "serve", "--rest-port", "0"]
_POLL_INTERVAL = {"TIDZAM_MODEL_SERVER__POLL_INTERVAL_S": "0.1"}


class ModelServerProcess:
    """``./tidzam serve --json`` on the data folder ``home``; a context that kills it at the end."""

    def __init__(self, home: Path, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        self.log = home / f"model-server-{time.monotonic_ns()}.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tidzam_platform.cli",
                    "serve",
                    "--port",
                    str(port),
                    "--rest-port",
                    "0",
                    "--json",
                ],
                env=cli_environment(home, {**_POLL_INTERVAL, **(env or {})}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def stderr(self) -> str:
        """What it wrote to standard error until now."""
        return self.log.read_text()

    def wait_ready(self, deadline_s: float = START_DEADLINE_S) -> dict[str, Any]:
        """The line that it prints once a generation answers: ``address`` and ``generation``."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], deadline_s)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            pytest.fail(f"no line within {deadline_s} s, exit code {self._process.poll()}:\n{self.stderr}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def wait_for_stderr(self, text: str, deadline_s: float = START_DEADLINE_S) -> str:
        """Wait until standard error holds ``text``; returns all of it."""
        end_s = time.monotonic() + deadline_s
        while text not in self.stderr:
            if time.monotonic() > end_s or self._process.poll() is not None:
                pytest.fail(f"{text!r} did not appear, exit code {self._process.poll()}:\n{self.stderr}")
            time.sleep(0.05)
        return self.stderr

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait_exit(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Wait for the end; returns the exit code."""
        return self._process.wait(deadline_s)

    def kill(self) -> None:
        """SIGKILL, also where it is stopped, and wait for the end."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_DEADLINE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped by SIGSTOP while the context lasts."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)
