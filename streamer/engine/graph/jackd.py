"""Debian's jackd as a child of ours, with a server name of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping
from typing import Final, Self

from streamer.engine.graph.jack_registry import (
    SERVER_PREFIX,
    forget_dead_servers,
    remove_files_of,
    remove_files_of_dead_servers,
)
from streamer.engine.rings import ENGINE_RATE_HZ
from tidzam_platform.audio.children import spawn
from tidzam_platform.errors import MissingSystemPartError, ProcessError
from tidzam_platform.operations.process_group import end_group
from tidzam_platform.operations.system_parts import PARTS, install_command
from tidzam_platform.settings import GraphSettings

_PART: Final = next(part for part in PARTS if part.name == "jackd")
_GRACE_S: Final = 2.0
_LINES_KEPT: Final = 40
_LEAST_PORTS: Final = 512
_MOST_PORTS: Final = 4096  # as jackd is built
_PORTS_OF_OTHERS: Final = 256
_CLIENT_TIMEOUT_MS: Final = 500
_REALTIME_PRIORITY: Final = 10


class Jackd:
    """A running jackd. It ends with ``stop``, and with this process however that ends.

    It computes cycles in sync mode (``-S``): a cycle is not begun before the one before it is done. Where the machine
    is late the next cycle is late too, but no client misses one and no buffer is heard twice.
    """

    def __init__(self, server: str, settings: GraphSettings, *, period_frames: int | None = None) -> None:
        """Start it; it takes clients a moment later.

        Raises:
            MissingSystemPartError: jackd is not installed.
            AudioGraphError: JACK's list of servers is locked.
        """
        self.server = server
        self.command = jackd_command(server, settings, period_frames or settings.period_frames)
        forget_dead_servers()
        remove_files_of(server)
        remove_files_of_dead_servers()
        self._process = spawn(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            environment=_environment(os.environ),
            folder=tempfile.gettempdir(),
        )
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._listener = threading.Thread(target=self._listen, name="tidzam-jackd-log", daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def status(self) -> int | None:
        """What it ended with, a signal negative; None while it lives."""
        return self._process.poll()

    def require_running(self) -> None:
        """ProcessError with what it said last if it has ended."""
        if (status := self._process.poll()) is not None:
            raise ProcessError(f"jackd ended with status {status}; it said: {' | '.join(self.last_lines())}")

    def last_lines(self) -> list[str]:
        """What it said last, oldest first."""
        return list(self._lines)

    def kill(self) -> None:
        """SIGKILL, at once: what waits for its answer gets an error."""
        self._process.kill()

    def stop(self) -> None:
        """SIGTERM, SIGKILL after a while; returns when it is gone."""
        end_group(self._process, _GRACE_S)
        self._listener.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        forget_dead_servers()
        remove_files_of(self.server)

    def _listen(self) -> None:
        """Take what it says: nothing grows, and it never waits for a full pipe."""
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - it was asked for
        while line := stream.readline(4096):
            self._lines.append(line.decode(errors="replace").rstrip())


def jackd_command(server: str, settings: GraphSettings, period_frames: int) -> list[str]:
    """The command of a server for these settings.

    Raises:
        MissingSystemPartError: jackd is not installed.
    """
    program = _PART.find()
    if program is None:
        raise MissingSystemPartError(
            f"jackd is not installed ({install_command([_PART])}); or set graph.kind to clock"
        )
    # An output and an input of each channel, and other programs' ports.
    ports = min(max(2 * settings.max_channels + _PORTS_OF_OTHERS, _LEAST_PORTS), _MOST_PORTS)
    command = [str(program), *_scheduling(), "-S", "--name", server]
    command += ["-p", str(ports), "-t", str(_CLIENT_TIMEOUT_MS), "-d", settings.driver]
    if settings.driver == "alsa":
        command += ["-d", settings.device]
    return [*command, "-r", str(ENGINE_RATE_HZ), "-p", str(period_frames)]


def realtime_allowed() -> bool:
    """Whether a thread of ours may have realtime priority; one of ours tries it for a moment."""
    answer: list[bool] = []

    def attempt() -> None:
        try:
            # For this thread alone; it ends at once.
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REALTIME_PRIORITY))
            answer.append(True)
        except OSError:
            answer.append(False)

    if not hasattr(os, "sched_setscheduler"):
        return False
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return answer == [True]


def _scheduling() -> list[str]:
    return ["-R", "-P", str(_REALTIME_PRIORITY)] if realtime_allowed() else ["-r"]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    environment = dict(ours)
    if "DBUS_SESSION_BUS_ADDRESS" not in environment:
        # Without a session bus nobody could be asked for the sound card, and jackd would not start.
        environment["JACK_NO_AUDIO_RESERVATION"] = "1"
    return environment


def server_name(home: os.PathLike[str]) -> str:
    """Name of the JACK server of a home: no other one of this machine is disturbed."""
    return f"{SERVER_PREFIX}{hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:8]}"
