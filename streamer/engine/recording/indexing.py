"""Recordings that are finished come into the catalog, by the archive's own index."""

from __future__ import annotations

import logging
import random
import threading
import time
from pathlib import Path
from typing import Final

from tidzam_platform.archive import index_archive
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import TidzamError
from tidzam_platform.settings import Settings

# Files of many sources end at the same whole hour: one run takes all of them.
SETTLE_S: Final = 5.0
_FIRST_DELAY_S: Final = 5.0
_MAX_DELAY_S: Final = 300.0
_LOG = logging.getLogger(__name__)


class ArchiveIndexer:
    """Indexes folders in which recordings were finished, in a thread. Started and stopped once.

    What fails (the catalog is locked, another index is running) is tried again later; nothing is lost by it, the next
    run of ``./tidzam archive index`` finds the same files.

    Args:
        settings: where the catalog is.
        settle_s: how long to wait for more files before a run.
    """

    def __init__(self, settings: Settings, *, settle_s: float = SETTLE_S) -> None:
        self._settings, self._settle_s = settings, settle_s
        self._lock = threading.Lock()
        self._zones: dict[Path, str] = {}
        self._due: set[Path] = set()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._runs = self._failures = 0
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="tidzam-archive-indexer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End after the run that is under way; returns whether it ended in time."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def add(self, folder: Path, time_zone: str) -> None:
        """Look into ``folder`` soon; its files are named by a clock in ``time_zone`` (IANA)."""
        with self._lock:
            self._zones[folder] = time_zone
            self._due.add(folder)
        self._wake.set()

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        with self._lock:
            return {"index_runs": self._runs, "index_failures": self._failures, "index_due": len(self._due)}

    def _run(self) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._stop.is_set():
            self._wake.wait()
            if self._stop.wait(self._settle_s):
                return
            self._wake.clear()
            if self._index_due():
                delay_s = _FIRST_DELAY_S
                continue
            if self._stop.wait(random.uniform(0.5, 1.0) * delay_s):  # noqa: S311 - no secret
                return
            delay_s = min(2 * delay_s, _MAX_DELAY_S)
            self._wake.set()

    def _index_due(self) -> bool:
        """Index all folders that are due; False if some failed, which are due again."""
        with self._lock:
            due, self._due = self._due, set()
        for folder in sorted(due):
            began_s = time.monotonic()
            try:
                self._index(folder)
            except (TidzamError, OSError) as error:
                self.problem = f"{folder} is not indexed: {error}"
                _LOG.warning("%s", self.problem)
                with self._lock:
                    self._failures += 1
                    self._due.add(folder)
                continue
            self.problem = ""
            self._runs += 1
            _LOG.info("%s indexed in %.1f s", folder, time.monotonic() - began_s)
        with self._lock:
            return not self._due

    def _index(self, folder: Path) -> None:
        catalog = Catalog.open(self._settings.catalog_url)
        try:
            index_archive(
                catalog,
                folder,
                time_zone=self._zones[folder],
                allow_empty=False,
                locks_folder=self._settings.locks_folder,
            )
        finally:
            catalog.close()
