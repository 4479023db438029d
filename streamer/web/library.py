"""Catalog and store as the web process uses them: opened when they are first needed, and again if that failed."""

from __future__ import annotations

import threading
from typing import Final

from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import BusyError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings
from tidzam_platform.store import ObjectStore

_OPENING_S: Final = 10.0  # a schema may have to be brought up to date


class Library:
    """One a process; for any number of threads. Pages and sources are served while the catalog is away."""

    def __init__(self, settings: Settings) -> None:
        """Args: ``settings`` say where catalog and store are."""
        self._settings = settings
        self._lock = threading.Lock()
        self._home: Home | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalog; raises as ``Home.open``, and BusyError while it takes long."""
        return self._opened().catalog

    @property
    def store(self) -> ObjectStore:
        """The store; raises likewise."""
        return self._opened().store

    @property
    def detections(self) -> DetectionReader:
        """Finds what was heard; raises likewise."""
        home = self._opened()
        return DetectionReader(home.catalog, home.store)

    def close(self) -> None:
        """Give the catalog's connections back."""
        with self._lock:
            home, self._home = self._home, None
        if home is not None:
            home.catalog.close()

    def _opened(self) -> Home:
        if not self._lock.acquire(timeout=_OPENING_S):
            raise BusyError("the catalog takes long to be opened: try again soon")
        try:
            if self._home is None:
                self._home = Home.open(self._settings)
            return self._home
        finally:
            self._lock.release()
