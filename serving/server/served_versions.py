"""Which version answers: the newest of the repository that loads, swapped without a gap.

Threads: ``poll`` and ``close`` belong to one thread (the watcher, and after its end whoever stops the
    server);
everything else may be called from any thread at any time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serving.repository import ModelRepository
from serving.server.back_off import BackOff
from serving.server.loaded_version import LoadedVersion
from serving.server.memory import give_memory_back
from serving.server.states import State, VersionStates
from tidzam_platform.errors import ModelRepositoryError

_LOG = logging.getLogger(__name__)


class ServedVersions:
    """The version in service, and what became of the others.

    Args:
        repository: where versions appear.
        load: loads a version, warmed up; raises when it is unfit.
        on_change: called with the version in service (None: none) whenever that changes.
        clock: monotonic seconds, by which unfit versions wait for their next try.
    """

    def __init__(
        self,
        repository: ModelRepository,
        load: Callable[[int, Path], LoadedVersion],
        on_change: Callable[[int | None], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.states = VersionStates()
        self._repository = repository
        self._load = load
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._current: LoadedVersion | None = None
        self._retiring: list[LoadedVersion] = []
        self._failed: dict[int, BackOff] = {}
        self._complaint = ""  # about the repository, said once

    @property
    def current(self) -> int | None:
        """The version in service, None while there is none."""
        with self._lock:
            return None if self._current is None else self._current.version

    @contextlib.contextmanager
    def use(self, version: int | None) -> Iterator[LoadedVersion | None]:
        """Yield the version in service, loaded while the context lasts; None if it is not ``version``."""
        with self._lock:
            loaded = self._current
            if loaded is not None and (version not in (None, loaded.version) or not loaded.acquire()):
                loaded = None
        try:
            yield loaded
        finally:
            if loaded is not None:
                loaded.release()

    def poll(self) -> None:
        """Look at the repository once: load and swap to the newest fit version, close what nobody uses."""
        self._close_idle()
        try:
            available = self._repository.versions()
        except ModelRepositoryError as error:  # e.g. a file system that is away: go on with what we have
            if str(error) != self._complaint:
                self._complaint = str(error)
                _LOG.warning("%s", error)
            return
        self._complaint = ""
        self._failed = {
            version: back_off for version, back_off in self._failed.items() if version in available
        }
        current = self.current
        unloading = {loaded.version for loaded in self._retiring}
        for version in reversed(available):
            if version == current:
                return
            back_off = self._failed.get(version)
            waits = version in unloading or not (back_off is None or back_off.is_due())
            if not waits and self._try(version):
                return
        # Here no listed version is in service. One whose folder was removed goes on until another loads.

    def close(self) -> bool:
        """End all service; False if a version is still in use, which then stays loaded."""
        self._swap(None)
        self._close_idle()
        return not self._retiring

    def _try(self, version: int) -> bool:
        self.states.step(version, State.LOADING)
        try:
            loaded = self._load(version, self._repository.path(version))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a version must not end the watcher
            wait_s = self._failed.setdefault(version, BackOff(self._clock)).failed()
            self.states.step(version, State.END, f"{type(error).__name__}: {error}")
            _LOG.error("version %d is not served, next try in %.0f s: %s", version, wait_s, error)
            give_memory_back()
            return False
        self._failed.pop(version, None)
        self._swap(loaded)
        return True

    def _swap(self, loaded: LoadedVersion | None) -> None:
        with self._lock:  # who sees the new version answer also sees it AVAILABLE
            old, self._current = self._current, loaded
            if loaded is not None:
                self.states.step(loaded.version, State.AVAILABLE)
            if old is not None:
                old.retire()
                self.states.step(old.version, State.UNLOADING)
                self._retiring.append(old)
        new = None if loaded is None else loaded.version
        if loaded is not old:
            _LOG.info("in service: version %s, before: %s", new, None if old is None else old.version)
        self._on_change(new)

    def _close_idle(self) -> None:
        still_used = []
        for version in self._retiring:
            if version.close_if_idle():
                self.states.step(version.version, State.END)
                give_memory_back()
            else:
                still_used.append(version)
        self._retiring = still_used
