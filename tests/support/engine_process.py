"""The real engine in a process of its own, and audio for its sources."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil
import pytest

from streamer.engine.control import EngineClient
from tests.support.crash import cli_environment
from tests.support.waiting import wait_for
from tidzam_platform.audio.encoding import write_audio

RATE_HZ = 48_000
READY_S = 60.0
_STOP_S = 30.0
FAST = {"TIDZAM_GRAPH__KIND": "clock", "TIDZAM_ICECAST__ENABLED": "false", "TIDZAM_GRAPH__RING_S": "4"}


class EngineProcess:
    """``./tidzam engine`` on ``home``; settings are ``SECTION__NAME="value"``. A context that ends it."""

    def __init__(self, home: Path, **settings: str) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.log = home / f"engine-{time.monotonic_ns()}.log"
        variables = {f"TIDZAM_{name.upper()}": value for name, value in settings.items()}
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tidzam_platform.cli", "engine", "--json"],
                env=cli_environment(home, {**FAST, **variables}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.client = EngineClient(home)
        self.said: dict[str, Any] = {}

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], READY_S)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            self.__exit__(None, None, None)
            pytest.fail(f"the engine did not start:\n{self.log.read_text()}")
        self.said = json.loads(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit code."""
        self._process.send_signal(number)
        return self._process.wait(_STOP_S)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._process.kill()
        self._process.wait(_STOP_S)

    def children(self) -> list[psutil.Process]:
        """All that it has started and that lives."""
        return psutil.Process(self.pid).children(recursive=True)

    def state_of(self, name: str) -> str:
        return str(self.client.request("sources.get", name=name)["state"])

    def wait_until(self, name: str, state: str, deadline_s: float = 20.0) -> None:
        wait_for(lambda: self.state_of(name) == state, f"source {name} is {state}", deadline_s)


def tones(path: Path, channels: int, seconds: float) -> Path:
    """A recording whose channel n is a tone of n x 200 Hz."""
    write_audio(path, _tone_blocks(channels, seconds), RATE_HZ)
    return path


def _tone_blocks(channels: int, seconds: float) -> Iterator[np.ndarray]:
    times = np.arange(RATE_HZ) / RATE_HZ
    second = 0.2 * np.sin(2 * np.pi * 200 * np.arange(1, channels + 1)[:, None] * times)
    for _ in range(round(seconds)):
        yield second.astype(np.float32)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs still (a zombie does not)."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def file_folders(folder: Path) -> str:
    """The setting that lets sources play files of ``folder``."""
    return json.dumps([os.fspath(folder)])
