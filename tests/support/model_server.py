"""The real model server, as ``./tidzam serve`` starts it, in a process of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.support.server_process import CLI, READY_S, ServerProcess

_EXIT_S = 10.0
_POLL_INTERVAL = {"TIDZAM_MODEL_SERVER__POLL_INTERVAL_S": "0.1"}


class ModelServerProcess(ServerProcess):
    """``./tidzam serve --json`` on the data folder ``home``; a context that kills it at the end.

    Inside it nothing is waited for: see ``wait_ready``, which gives ``address`` and ``generation``.
    """

    name = "model server"

    def __init__(self, home: Path, port: int = 0, env: Mapping[str, str] | None = None) -> None:
        arguments = [*CLI, "serve", "--port", str(port), "--rest-port", "0", "--json"]
        super().__init__(home, arguments, {**_POLL_INTERVAL, **(env or {})})

    def __enter__(self) -> Self:
        return self

    def stop(self) -> None:
        """Kill it; it may stand still."""
        self.kill()
        super().stop()

    def wait_for_stderr(self, text: str, deadline_s: float = READY_S) -> str:
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

    def wait_exit(self, deadline_s: float = _EXIT_S) -> int:
        """Wait for the end; returns the exit code."""
        return self._process.wait(deadline_s)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped by SIGSTOP while the context lasts."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)
