"""Which versions answer: those that the config asks for and that load, swapped without a gap.

Threads: ``poll`` and ``close`` belong to one thread (the watcher, and after its end whoever stops the
    server);
everything else may be called from any thread at any time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from serving.repository import ModelRepository
from serving.server.back_off import BackOff
from serving.server.loaded_version import LoadedVersion
from serving.server.memory import give_memory_back
from serving.server.serving_config import ServingConfig
from serving.server.states import State, VersionStates
from serving.signature import STABLE
from tidzam_platform.errors import ModelRepositoryError

_LOG = logging.getLogger(__name__)


class ServedVersions:
    """The versions in service, their labels, and what became of the others.

    A version is let go only when another that is asked for answers (TensorFlow Serving's availability-preserving
    policy), and a label stays where it is until the version that it moves to answers.

    Args:
        repository: where versions appear.
        load: loads a version, warmed up; raises when it is unfit.
        on_change: called with the versions in service and their labels whenever they change.
        clock: monotonic seconds, by which unfit versions wait for their next try.
    """

    def __init__(
        self,
        repository: ModelRepository,
        load: Callable[[int, Path], LoadedVersion],
        on_change: Callable[[list[int], Mapping[str, int]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.states = VersionStates()
        self._repository = repository
        self._load = load
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._config = ServingConfig()
        self._loaded: dict[int, LoadedVersion] = {}
        self._labels: dict[str, int] = {}
        self._retiring: list[LoadedVersion] = []
        self._failed: dict[int, BackOff] = {}
        self._complaint = ""  # about the repository, said once
        self._told: tuple[list[int], dict[str, int]] = ([], {})

    @property
    def config(self) -> ServingConfig:
        """What ``poll`` works towards."""
        with self._lock:
            return self._config

    @config.setter
    def config(self, config: ServingConfig) -> None:
        with self._lock:
            self._config = config

    def replace_config(self, expected: ServingConfig, config: ServingConfig) -> bool:
        """Work towards ``config`` if it was ``expected`` until now; False if someone else set another meanwhile."""
        with self._lock:
            if self._config is not expected:
                return False
            self._config = config
            return True

    @property
    def in_service(self) -> list[int]:
        """The versions that answer, newest first."""
        with self._lock:
            return sorted(self._loaded, reverse=True)

    @property
    def labels(self) -> dict[str, int]:
        """The labels that are known and the version that each stands for."""
        with self._lock:
            return dict(self._labels)

    @contextlib.contextmanager
    def use(self, version: int | None, label: str = "") -> Iterator[LoadedVersion | None]:
        """Yield what ``label`` stands for, else ``version``, else the newest in service; None if it is not loaded.

        It stays loaded while the context lasts. Label and version are looked up in one step: between two, a label
        could move and its old version go.
        """
        with self._lock:
            version = self._labels.get(label, version)
            loaded = self._loaded.get(max(self._loaded, default=0) if version is None else version)
            if loaded is not None and not loaded.acquire():
                loaded = None
        try:
            yield loaded
        finally:
            if loaded is not None:
                loaded.release()

    def poll(self) -> None:
        """Look at the repository once: load what is asked for, let go of what is not, close what nobody uses."""
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
        config = self.config
        self._settle(config, [])  # labels between versions that answer wait for no load
        unloading = {loaded.version for loaded in self._retiring}
        wanted: list[int] = []
        for version in config.candidates(available):
            if len(wanted) >= config.most:
                break
            stable = config.labels.get(STABLE, 0)
            if version > stable > 0 and stable not in self._loaded and version not in self._loaded:
                continue  # as the newest it would answer who asks for no label, and the stable one could not
            back_off = self._failed.get(version)
            is_due = version not in unloading and (back_off is None or back_off.is_due())
            if version in self._loaded:
                wanted.append(version)
            elif is_due and self._try(version):
                wanted.append(version)
                self._settle(config, [])  # it answers: labels, health and who waits hear of it now
        self._settle(config, wanted)

    def close(self) -> bool:
        """End all service; False if a version is still in use, which then stays loaded."""
        with self._lock:
            self._labels = {}
            self._retire(set(self._loaded))
        self._on_change([], {})
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
        with self._lock:  # who sees the new version answer also sees it AVAILABLE
            self._loaded[version] = loaded
            self.states.step(version, State.AVAILABLE)
        return True

    def _settle(self, config: ServingConfig, wanted: list[int]) -> None:
        """Move the labels to versions that answer now, and let go of those that nobody asks for."""
        with self._lock:
            labels = {}
            for label, version in config.labels.items():
                if version in self._loaded:
                    labels[label] = version
                elif (held := self._labels.get(label, 0)) in self._loaded:
                    labels[label] = held
            self._labels = labels
            if wanted:  # otherwise what is there goes on until something else loads
                self._retire(set(self._loaded) - {*wanted, *labels.values()})
            after = sorted(self._loaded, reverse=True), dict(labels)
        if after != self._told:
            self._told = after
            _LOG.info("in service: versions %s, labels %s", after[0] or "none", after[1] or "none")
            self._on_change(*after)

    def _retire(self, versions: Iterable[int]) -> None:
        """Take ``versions`` out of service; the lock is held."""
        for version in sorted(versions):
            loaded = self._loaded.pop(version)
            loaded.retire()
            self.states.step(version, State.UNLOADING)
            self._retiring.append(loaded)

    def _close_idle(self) -> None:
        still_used = []
        for version in self._retiring:
            if version.close_if_idle():
                self.states.step(version.version, State.END)
                give_memory_back()
            else:
                still_used.append(version)
        self._retiring = still_used
