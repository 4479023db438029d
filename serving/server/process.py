"""The model server as a process: runs in the foreground and ends on SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

from serving.server.embedded import EmbeddedServer
from serving.server.memory import leave_out_what_is_imported
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.operations.termination import StopSignals

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 0.5


def run_server(
    server: EmbeddedServer, *, on_listening: Callable[[str], None], on_ready: Callable[[str, int], None]
) -> None:
    """Start ``server`` and return after SIGTERM or SIGINT, when it has stopped (5 s at most).

    Call it in the main thread. If something that cannot be interrupted is still running after the stop
    (TensorFlow being imported, a model being loaded), the process ends here with exit code 0.

    Args:
        server: not started yet.
        on_listening: called with the address once the port is open; there may be no version to serve yet.
        on_ready: called with the address and the generation once the first version answers.

    Raises:
        ProcessError: the address cannot be listened on.
    """
    with StopSignals() as stop_signals:
        start = _Start(server, on_listening, on_ready)
        start.begin()
        taken = stop_signals.wait()
        if start.error is not None:
            raise start.error
        _LOG.info("%s: stopping", taken.name)
        if not (start.stop() and server.stop()):
            _LOG.info("not waiting for what TensorFlow is still doing")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


class _Start:
    """Starting takes seconds, most of them TensorFlow's import: in a thread, so that signals are heard."""

    def __init__(
        self,
        server: EmbeddedServer,
        on_listening: Callable[[str], None],
        on_ready: Callable[[str, int], None],
    ) -> None:
        self.error: BaseException | None = None
        self._main_thread = threading.get_ident()
        self._server = server
        self._on_listening, self._on_ready = on_listening, on_ready
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="start", daemon=True)

    def begin(self) -> None:
        """Start the server in the background."""
        self._thread.start()

    def stop(self) -> bool:
        """Give up waiting for a version; False if the start itself is still under way."""
        self._stopping.set()
        self._thread.join(2 * _LOOK_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            load_tensorflow()
            leave_out_what_is_imported()
            self._server.start()
            self._on_listening(self._server.address)
            generation = None
            while generation is None and not self._stopping.is_set():
                generation = self._server.wait_for_generation(_LOOK_S)
            if generation is not None:
                self._on_ready(self._server.address, generation)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread, which this wakes
            self.error = error
            signal.pthread_kill(self._main_thread, signal.SIGTERM)
