"""The thread that looks at the repository every now and then."""

from __future__ import annotations

import logging
import threading

from serving.server.served_versions import ServedVersions

_LOG = logging.getLogger(__name__)


class RepositoryWatcher:
    """Polls until it is stopped, the first time at once."""

    def __init__(self, versions: ServedVersions, poll_interval_s: float) -> None:
        self._versions = versions
        self._interval_s = poll_interval_s
        self._stopping = threading.Event()
        # A daemon: loading a large model cannot be interrupted, and must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="repository-watcher", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the polling; False if a load is still under way after ``timeout_s``."""
        self._stopping.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._versions.poll()
            except Exception:  # noqa: BLE001 - logged; the next look may succeed
                _LOG.exception("looking at the model repository failed")
            self._stopping.wait(self._interval_s)
