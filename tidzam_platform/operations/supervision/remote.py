"""Talking to Supervisor over its socket: XML-RPC, a connection a call, each with a deadline."""

from __future__ import annotations

import xmlrpc.client
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from xml.parsers.expat import ExpatError

from tidzam_platform.errors import ProcessError, SupervisorUnavailableError
from tidzam_platform.operations.supervision.hopeless import HOPELESS_CODE
from tidzam_platform.operations.supervision.probes import connected

_TIMEOUT_S: Final = 10.0
_ANSWER_BYTES: Final = 16 << 20

# Faults of Supervisor's interface, http://supervisord.org/api.html
_ENDING: Final = 6
_BAD_NAME: Final = 10
_ABNORMAL_END: Final = 40
_SPAWN_ERROR: Final = 50
_ALREADY_STARTED: Final = 60
_NOT_RUNNING: Final = 70
_ALREADY_ADDED: Final = 90

STOPPED: Final = "STOPPED"  # on purpose, or never started
STARTING: Final = "STARTING"
RUNNING: Final = "RUNNING"
BACKOFF: Final = "BACKOFF"  # ended too soon; it will be tried again
STOPPING: Final = "STOPPING"
ENDED: Final = frozenset({STOPPED, "EXITED", "FATAL", "UNKNOWN"})  # nothing happens until somebody starts it


@dataclass(frozen=True)
class ProcessInfo:
    """What Supervisor says of a process.

    Attributes:
        name: of the process.
        state: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN.
        pid: 0 where none runs.
        error: why it does not run; may be empty.
        exit_status: of the last run; -1 after a signal.
    """

    name: str
    state: str
    pid: int
    error: str
    exit_status: int

    @property
    def is_given_up(self) -> bool:
        """Whether Supervisor leaves it as it is: it ended again and again, or said that trying again helps nothing."""
        if self.state == "EXITED":  # any other is started again at once
            return self.exit_status == HOPELESS_CODE
        return self.state in ENDED and self.state != STOPPED


@dataclass(frozen=True)
class Changes:
    """How the configuration file differs from what Supervisor runs: names of processes."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class SupervisorClient:
    """Calls to the Supervisor behind the socket ``path``.

    All methods raise SupervisorUnavailableError where none listens or it is ending, and ProcessError where it refuses
    or does not answer within seconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pid(self) -> int:
        """Its process."""
        return int(self._call("getPID"))

    def processes(self) -> dict[str, ProcessInfo]:
        """All processes that it knows, by name."""
        return {one.name: one for one in map(_info, self._call("getAllProcessInfo"))}

    def info(self, name: str) -> ProcessInfo:
        """One process."""
        return _info(self._call("getProcessInfo", name))

    def start(self, name: str) -> None:
        """Start a process; returns at once, also where it runs already or ended at once: ``info`` tells."""
        self._call("startProcess", name, False, expected=(_ALREADY_STARTED, _SPAWN_ERROR, _ABNORMAL_END))

    def stop(self, name: str) -> None:
        """Ask a process to end; returns at once, also where it does not run."""
        self._call("stopProcess", name, False, expected=(_NOT_RUNNING,))

    def reload(self) -> Changes:
        """Read the configuration file again; nothing is started or stopped by that."""
        added, changed, removed = self._call("reloadConfig")[0]
        return Changes(frozenset(added), frozenset(changed), frozenset(removed))

    def add(self, name: str) -> None:
        """Take a process of the configuration file in."""
        self._call("addProcessGroup", name, expected=(_ALREADY_ADDED,))

    def remove(self, name: str) -> None:
        """Forget a process that does not run."""
        self._call("removeProcessGroup", name, expected=(_BAD_NAME,))

    def shut_down(self) -> None:
        """Ask it to end; it stops its processes in reverse order first."""
        self._call("shutdown")

    def _call(self, method: str, *parameters: Any, expected: tuple[int, ...] = ()) -> Any:
        request = xmlrpc.client.dumps(parameters, f"supervisor.{method}").encode()
        try:
            with connected(self._path, _TIMEOUT_S) as connection:
                http = HTTPConnection("localhost")
                http.sock = connection
                http.request("POST", "/RPC2", request, {"Content-Type": "text/xml", "Connection": "close"})
                response = http.getresponse()
                body = response.read(_ANSWER_BYTES)
        except TimeoutError as error:
            raise ProcessError(
                f"Supervisor does not answer on {self._path} within {_TIMEOUT_S:g} s: kill it (its process number is "
                f"in {self._path.with_name('supervisord.pid')}), then call ./tidzam start"
            ) from error
        except (OSError, HTTPException) as error:
            raise SupervisorUnavailableError(f"no Supervisor answers on {self._path}: {error}") from error
        try:
            if response.status != 200:
                raise ProcessError(
                    f"Supervisor answered {response.status} to {method}; see logs/supervisord.log"
                )
            values, _ = xmlrpc.client.loads(body)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in expected:
                return None
            if fault.faultCode == _ENDING:
                raise SupervisorUnavailableError(f"the Supervisor behind {self._path} is ending") from fault
            raise ProcessError(f"Supervisor refused {method} {parameters}: {fault.faultString}") from fault
        except (ExpatError, xmlrpc.client.ResponseError, ValueError) as error:
            raise ProcessError(f"Supervisor answered {method} with what is no XML-RPC: {error}") from error
        return values[0]


def _info(said: dict[str, Any]) -> ProcessInfo:
    return ProcessInfo(
        str(said["name"]),
        str(said["statename"]),
        int(said["pid"]),
        str(said["spawnerr"]),
        int(said["exitstatus"]),
    )
