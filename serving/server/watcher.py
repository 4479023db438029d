"""The thread that follows the repository: its config file and its versions."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from serving.server.served_versions import ServedVersions
from serving.server.serving_config import ServingConfig, read_serving_config
from tidzam_platform.errors import ModelRepositoryError

_LOG = logging.getLogger(__name__)


class RepositoryWatcher:
    """Polls until it is stopped, the first time at once.

    Args:
        versions: is told what to serve, and to look.
        config_file: TensorFlow Serving's ``models.config``; without one the newest version is served.
        base_path: where the versions lie.
        poll_interval_s: from the end of one look to the next.
    """

    def __init__(
        self, versions: ServedVersions, config_file: Path, base_path: Path, poll_interval_s: float
    ) -> None:
        self._versions = versions
        self._config_file, self._base_path = config_file, base_path
        self._interval_s = poll_interval_s
        self._read: ServingConfig | None = None
        self._complaint = ""
        self._changed = threading.Condition()
        self._stopping = False
        self._asked = 0  # looks that someone waits for
        self._looked = 0
        # A daemon: loading a large model cannot be interrupted, and must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="repository-watcher", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the polling; False if a load is still under way after ``timeout_s``."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def look(self, timeout_s: float) -> bool:
        """Look now, and wait for the end of a look that began after this call; False if that takes longer."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._looked >= mine or self._stopping, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                asked = self._asked
            try:
                self._follow_config()
                self._versions.poll()
            except Exception:  # noqa: BLE001 - logged; the next look may succeed
                _LOG.exception("looking at the model repository failed")
            with self._changed:
                self._looked = asked
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopping or self._asked > self._looked, self._interval_s)

    def _follow_config(self) -> None:
        """Take over the config file where it changed; one that cannot be read changes nothing."""
        try:
            config = read_serving_config(self._config_file, self._base_path)
        except ModelRepositoryError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _LOG.error("%s; what was asked for before goes on", error)
            return
        self._complaint = ""
        if config is not None and config != self._read:
            self._versions.config = config
        self._read = config
