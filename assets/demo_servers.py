"""The demo's servers: the model server and Dagster, on ports that are theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from assets.dagster_processes import dagster_processes
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.child_process import ChildProcess, stop_all
from tidzam_platform.operations.ports import choose_port, is_free, join_address
from tidzam_platform.settings import Settings

_LISTEN_TIMEOUT_S: Final = 120.0  # seconds on an idle machine
_TRIES: Final = 3  # of a port that someone else takes between our choice and the server's start

Started = tuple[str, list[ChildProcess]]
Start = Callable[[Settings], AbstractContextManager[Started]]


@dataclass(frozen=True)
class DemoServers:
    """Both servers' addresses, and their processes: the model server, Dagster's web server and daemon."""

    model_server: str
    dagster: str
    processes: list[ChildProcess]

    def require_running(self) -> None:
        """ProcessError with the end of its log if one of them has ended."""
        for process in self.processes:
            process.require_running()


@contextmanager
def demo_servers(settings: Settings) -> Iterator[DemoServers]:
    """Start both; yields when each listens on its own port, which it may take from now on.

    A port that nobody asked for (in the environment or the configuration file) is the usual one if it is free, else
    any free one.

    Raises:
        ProcessError: a server ended, or a port that was asked for is in use.
    """
    with ExitStack() as stack:
        waiting = [
            _Server(stack, settings, "model_server", model_server_process),
            _Server(stack, settings, "dagster", dagster_processes),
        ]
        for server in waiting:  # side by side
            server.start()
        (model_server, first), (dagster, others) = [server.wait_until_listening() for server in waiting]
        processes = [*first, *others]
        try:
            yield DemoServers(model_server, dagster, processes)
        finally:
            stop_all(processes)


@contextmanager
def model_server_process(settings: Settings) -> Iterator[Started]:
    """Start ``./tidzam serve`` of this home; yields its address, which may not answer yet.

    Raises:
        ProcessError: the port is in use.
    """
    host, port = settings.model_server.host, settings.model_server.port
    address = join_address(host, port)
    if not is_free(host, port):
        raise ProcessError(
            f"the model server cannot listen on {address}: the port is in use; stop what uses it, or choose another "
            "(TIDZAM_MODEL_SERVER__PORT, 0 for any)"
        )
    rest_port = choose_port(host, settings.model_server.rest_port)
    command = [sys.executable, "-m", "tidzam_platform.cli", "serve", "--host", host, "--port", str(port)]
    command += ["--rest-port", str(rest_port)]
    log_file = settings.logs_folder / "model-server.log"
    with ChildProcess("the model server", command, log_file, {"TIDZAM_HOME": str(settings.home)}) as process:
        yield address, [process]


class _Server:
    """One server on its way: it gets another port if someone takes the first one before it can."""

    def __init__(self, stack: ExitStack, settings: Settings, section: str, start: Start) -> None:
        self._stack, self._settings, self._section, self._start = stack, settings, section, start
        chosen = getattr(settings, section)
        self._host: str = chosen.host
        self._preferred: int = chosen.port
        self._asked_for = "port" in chosen.model_fields_set and chosen.port != 0

    def start(self) -> None:
        """Choose a port and start the server, in one go."""
        self._port = self._preferred if self._asked_for else choose_port(self._host, self._preferred)
        chosen = getattr(self._settings, self._section).model_copy(update={"port": self._port})
        settings = self._settings.model_copy(update={self._section: chosen})
        self._try = self._stack.enter_context(ExitStack())
        self._address, self._processes = self._try.enter_context(self._start(settings))

    def wait_until_listening(self) -> Started:
        """Wait until the server itself, and no other, listens on its port."""
        for left in reversed(range(_TRIES)):
            try:
                self._processes[0].wait_until_listening(self._port, _LISTEN_TIMEOUT_S)
            except ProcessError:
                if not left or self._asked_for or is_free(self._host, self._port):
                    raise
                self._try.close()
                self.start()
        return self._address, self._processes
