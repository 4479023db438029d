"""The real engine in a process of its own, and audio for its sources."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from streamer.engine.control import EngineClient
from tests.support.server_process import CLI, ServerProcess, as_variables
from tests.support.waiting import wait_for
from tidzam_platform.audio.encoding import write_audio

RATE_HZ = 48_000
FAST = {"TIDZAM_GRAPH__KIND": "clock", "TIDZAM_ICECAST__ENABLED": "false", "TIDZAM_GRAPH__RING_S": "4"}


class EngineProcess(ServerProcess):
    """``./tidzam engine`` on ``home``; settings are ``section__name="value"``. A context that ends it."""

    name = "engine"

    def __init__(self, home: Path, **settings: str) -> None:
        super().__init__(home, [*CLI, "engine", "--json"], {**FAST, **as_variables(settings)})
        self.client = EngineClient(home)

    def stop(self) -> None:
        """End it, and the client."""
        self.client.close()
        super().stop()

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
