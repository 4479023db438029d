"""Supervisor itself as a process: is it there, start it, end it, clear what a dead one left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from tidzam_platform.errors import ProcessError, SupervisorUnavailableError
from tidzam_platform.operations.process_group import die_with_parent
from tidzam_platform.operations.supervision.configuration import CONFIGURATION, LOG, PID_FILE, SOCKET
from tidzam_platform.operations.supervision.logs import log_tail
from tidzam_platform.operations.supervision.remote import SupervisorClient
from tidzam_platform.operations.supervision.trees import alive, wait_for_end

_MODULE: Final = "supervisor.supervisord"
_START_S: Final = 30.0
_POLL_S: Final = 0.05
# utf8: it reads its file in the encoding of the locale otherwise. -W: Supervisor 4.3 calls what Python has deprecated,
# and would answer nothing where PYTHONWARNINGS makes errors of that.
_PYTHON: Final = (sys.executable, "-P", "-X", "utf8", "-W", "ignore::DeprecationWarning")
_COMMAND: Final = (*_PYTHON, "-m", _MODULE, "-c", CONFIGURATION)
_NOT_HANDED_ON: Final = ("SUPERVISOR_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_FD", "LISTEN_PID")


class Daemon:
    """The Supervisor of one home. Callers hold the lock of the supervision."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._client = SupervisorClient(home / SOCKET)

    def find(self) -> SupervisorClient | None:
        """The Supervisor that runs; None where none does.

        Raises:
            ProcessError: one is there, but does not answer.
        """
        try:
            self._client.pid()
        except SupervisorUnavailableError:
            return None
        return self._client

    def clear_leavings(self, ending_s: float) -> int | None:
        """Remove the socket and the process number of a Supervisor that is no more; returns that number.

        None where the last one left nothing, as one does that ended in order. One that is just ending is waited for.

        Raises:
            ProcessError: it does not end within ``ending_s``.
        """
        number = self._noted_pid()
        ending = self._process(number)
        if ending is not None and wait_for_end([ending], ending_s):
            raise ProcessError(
                f"Supervisor (process {ending.pid}) neither answers nor ends; kill it: kill -9 {ending.pid}"
            )
        left = [self._home / PID_FILE, *(self._home / SOCKET).parent.glob(f"{(self._home / SOCKET).name}*")]
        for path in left:
            path.unlink(missing_ok=True)
        return number if ending is None else None

    def launch(self) -> SupervisorClient:
        """Start it in the background, in a session of its own; it lives on when we end.

        Raises:
            ProcessError: it did not start; the message says what it said.
        """
        try:
            # It forks when its socket is open; the process that we started ends then.
            started = subprocess.run(
                _COMMAND,
                cwd=self._home,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                timeout=_START_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise self._not_started(
                f"not within {_START_S:g} s; the file system of the home must know links"
            ) from error
        if started.returncode != 0:
            raise self._not_started(started.stderr.decode(errors="replace").strip())
        try:
            self._wait_until_it_answers(None)
        except BaseException:
            if (process := self._process(self._noted_pid())) is not None:
                process.kill()
            raise
        return self._client

    def launch_in_foreground(self) -> subprocess.Popen[bytes]:
        """Start it as a child that does not outlive us; its owner waits for it.

        Raises:
            ProcessError: as ``launch``.
        """
        child = subprocess.Popen(
            [*_COMMAND, "-n"],
            cwd=self._home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - two calls of libc, no lock is taken
        )
        try:
            self._wait_until_it_answers(child)
        except BaseException:
            child.kill()
            child.wait()
            raise
        return child

    def end(self, timeout_s: float) -> None:
        """End it, and what it still runs in reverse order; it is killed where it has not ended after ``timeout_s``."""
        process = self._process(self._client.pid())
        self._client.shut_down()
        if process is not None and wait_for_end([process], timeout_s):
            process.kill()
            wait_for_end([process], timeout_s)
        self.clear_leavings(timeout_s)

    def _wait_until_it_answers(self, child: subprocess.Popen[bytes] | None) -> None:
        end_s = time.monotonic() + _START_S
        while self.find() is None:
            if child is not None and child.poll() is not None:
                raise self._not_started(f"it ended with status {child.returncode}")
            if time.monotonic() > end_s:
                raise self._not_started(f"no answer within {_START_S:g} s")
            time.sleep(_POLL_S)

    def _not_started(self, why: str) -> ProcessError:
        return ProcessError(f"Supervisor did not start: {why}\n{log_tail(self._home / LOG)}".rstrip())

    def _noted_pid(self) -> int | None:
        try:
            text = (self._home / PID_FILE).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdecimal() else None

    def _process(self, number: int | None) -> psutil.Process | None:
        """That process if it is the Supervisor of this home: numbers of processes are given again."""
        try:
            process = psutil.Process(number) if number else None
            if process is None or not alive(process) or _MODULE not in process.cmdline():
                return None
            return process if Path(process.cwd()).samefile(self._home) else None
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            return None


def _environment() -> dict[str, str]:
    """Ours; less what another Supervisor or systemd meant for us alone."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_NOT_HANDED_ON)}
