"""Debian's Icecast as a supervised child: never as root, with no secret on the disk but ours, back when it dies."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError, fromstring

from streamer.engine.listening.credentials import IcecastCredentials, basic_authorization
from streamer.engine.listening.icecast_config import icecast_config
from streamer.engine.listening.mounts import Mount
from streamer.engine.listening.rotated_log import RotatedLog
from tidzam_platform.audio.children import spawn
from tidzam_platform.errors import MissingSystemPartError, ProcessError, TidzamError
from tidzam_platform.operations.ports import free_port, is_free, join_address, listens
from tidzam_platform.operations.process_group import end_group
from tidzam_platform.streamer_sections import IcecastSettings

LOG_FILE: Final = "icecast.log"
_USERS: Final = ("icecast2", "nobody")  # Debian's own, else one that owns nothing
_READY_S: Final = 15.0
_STOP_S: Final = 3.0
_POLL_S: Final = 0.2
_HUP_EVERY_S: Final = 1.0  # Icecast looks once a second
_FIRST_DELAY_S: Final = 0.5
_MAX_DELAY_S: Final = 30.0
_HEALTHY_S: Final = 60.0
_QUESTION_S: Final = 3.0
_MAX_STATISTICS_BYTES: Final = 8 << 20
_ACCESS: Final = re.compile(r"\S+ \S+ \S+ \[")  # a line of the access log, common log format
_LOG = logging.getLogger(__name__)


class Icecast:
    """The server that people listen to. Started and stopped once; a thread watches it.

    Its configuration is in memory that only it can open (memfd), given to it as standard input: Icecast reads it again
    at each SIGHUP, long after it gave up the right to look into our home.

    Args:
        settings: the section ``icecast``.
        credentials: of this home.
        relay_port: where the engine gives the streams, on 127.0.0.1.
        logs_folder: for ``icecast.log``.
    """

    def __init__(
        self, settings: IcecastSettings, credentials: IcecastCredentials, relay_port: int, logs_folder: Path
    ) -> None:
        self._settings, self._credentials, self._relay_port = settings, credentials, relay_port
        self._log_file = logs_folder / LOG_FILE
        self._lock = threading.Lock()
        self._mounts: tuple[Mount, ...] = ()
        self._is_dirty = False
        self._process: subprocess.Popen[bytes] | None = None
        self._log: RotatedLog | None = None
        self._config = -1
        self.port = settings.port
        self.problem = ""
        self._restarts = self._reloads = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tidzam-icecast", daemon=True)

    @property
    def address(self) -> str:
        """``host:port`` where people reach it."""
        return join_address(self._settings.host, self.port)

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            MissingSystemPartError: it is not installed.
            ProcessError: it ended at once, or its port is taken.
        """
        if shutil.which("icecast2") is None:
            raise MissingSystemPartError(
                "icecast2 is not installed, and listening needs it: apt-get install icecast2; "
                "or set icecast.enabled = false"
            )
        if not self.port:
            self.port = free_port(self._settings.host)
        elif not is_free(self._settings.host, self.port):
            raise ProcessError(
                f"Icecast cannot listen on {self.address}: the port is in use; stop what uses it, or choose another "
                "with icecast.port"
            )
        self._config = os.memfd_create("icecast.xml", os.MFD_CLOEXEC)
        try:
            self._begin()
            self._wait_until_ready()
        except BaseException:
            self._end()
            os.close(self._config)
            raise
        self._thread.start()

    def stop(self) -> None:
        """End it. May be called again."""
        self._stop.set()
        if self._thread.ident is None:
            return
        self._thread.join(_STOP_S + _READY_S)
        if self._config >= 0:
            os.close(self._config)
            self._config = -1

    def set_mounts(self, mounts: Sequence[Mount]) -> None:
        """These are the mounts from now on. Icecast knows them two or three seconds later; see ``known_mounts``."""
        with self._lock:
            if tuple(mounts) != self._mounts:
                self._mounts, self._is_dirty = tuple(mounts), True

    def known_mounts(self) -> dict[str, int]:
        """How many people listen to each mount that Icecast knows.

        Raises:
            ProcessError: it does not answer.
        """
        connection = http.client.HTTPConnection(self._settings.host, self.port, timeout=_QUESTION_S)
        authorization = basic_authorization(self._credentials.admin_user, self._credentials.admin_password)
        try:
            connection.request("GET", "/admin/stats", headers={"Authorization": authorization})
            answer = connection.getresponse()
            data = answer.read(_MAX_STATISTICS_BYTES)
            if answer.status != http.client.OK:
                raise ProcessError(f"Icecast answers {answer.status} to the question for its statistics")
            document = fromstring(data)  # noqa: S314 - of our own child
        except (OSError, http.client.HTTPException, ParseError) as error:
            raise ProcessError(f"Icecast at {self.address} does not say who listens: {error}") from error
        finally:
            connection.close()
        return {
            source.get("mount", ""): int(source.findtext("listeners") or 0)
            for source in document.iter("source")
        }

    def status(self) -> dict[str, Any]:
        """For people."""
        return {"address": self.address, "running": self.pid is not None, "problem": self.problem}

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        return {"icecast_restarts": self._restarts, "icecast_reloads": self._reloads}

    def _watch(self) -> None:
        began_s = hup_s = time.monotonic()
        delay_s = 0.0
        while not self._stop.wait(_POLL_S):
            if self.pid is None:
                self.problem = f"Icecast ended: {self._last_words()}"
                _LOG.warning("%s", self.problem)
                if time.monotonic() - began_s > _HEALTHY_S:
                    delay_s = 0.0
                if self._stop.wait(random.uniform(0.5, 1.0) * delay_s):  # noqa: S311 - no secret
                    break
                delay_s = min(max(2 * delay_s, _FIRST_DELAY_S), _MAX_DELAY_S)
                began_s = hup_s = time.monotonic()
                self._start_again()
            elif self._is_dirty and time.monotonic() - hup_s >= _HUP_EVERY_S:
                hup_s = time.monotonic()
                self._reload()
        self._end()

    def _start_again(self) -> None:
        self._end()
        self._restarts += 1
        try:
            self._begin()
            self._wait_until_ready()
        except (TidzamError, OSError) as error:
            self.problem = str(error)
            _LOG.warning("%s", error)
            self._end()
        else:
            self.problem = ""

    def _begin(self) -> None:
        self._write_config()
        self._process = spawn(
            [*_as_nobody(), "icecast2", "-c", "/proc/self/fd/0"],
            stdin=self._config,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            folder="/",
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for
        self._log = RotatedLog(self._log_file, self._process.stdout)

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 - begun
        deadline_s = time.monotonic() + _READY_S
        while not listens(self._process.pid, self.port):
            if self._process.poll() is not None:
                raise ProcessError(f"Icecast ended at once: {self._last_words()}")
            if time.monotonic() > deadline_s or self._stop.is_set():
                raise ProcessError(f"Icecast was not ready after {_READY_S:.0f} s: {self._last_words()}")
            time.sleep(_POLL_S / 4)

    def _write_config(self) -> None:
        with self._lock:
            mounts, self._is_dirty = self._mounts, False
        data = icecast_config(
            self._settings, self._credentials, mounts, port=self.port, relay_port=self._relay_port
        )
        os.ftruncate(self._config, 0)
        os.pwrite(self._config, data, 0)

    def _reload(self) -> None:
        """Write the configuration, and have it read. If it was just being read, it is read once more."""
        self._write_config()
        self._reloads += 1
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)

    def _end(self) -> None:
        if self._process is not None:
            end_group(self._process, _STOP_S)
        if self._log is not None:
            self._log.join(_STOP_S)

    def _last_words(self) -> str:
        if self._log is None:
            return "it said nothing"
        self._log.join(_POLL_S)
        said = [line for line in self._log.tail.splitlines() if not _ACCESS.match(line)]
        return "; ".join(said[-3:]) or "it said nothing"


def _as_nobody() -> list[str]:
    """The command that gives up root for good and then becomes the command after it; empty if we are not root.

    Icecast's own ``changeowner`` would make it deaf to the death of its parent (prctl(2), PR_SET_PDEATHSIG).

    Raises:
        MissingSystemPartError: there is no such command, or no user.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MissingSystemPartError(
            "setpriv is not installed, and Icecast must not run as root: apt-get install util-linux"
        )
    for name in _USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return [
            setpriv,
            f"--reuid={user.pw_uid}",
            f"--regid={user.pw_gid}",
            "--clear-groups",
            "--no-new-privs",
            *("--pdeathsig", "KILL", "--"),
        ]
    raise MissingSystemPartError(
        f"Icecast must not run as root, and there is no user {' or '.join(_USERS)}: add one"
    )
