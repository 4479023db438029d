"""Objects of a distant store kept on the local disk: a bounded folder, the least recently used go first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from tidzam_platform.errors import StoreError
from tidzam_platform.files import partial_path, remove_leavings

_ETAG: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SPARE: Final = 0.1  # of the limit is free after a cleaning, so that not every object causes one


class Fetch(Protocol):
    """Writes the object to ``path`` and returns its version; None, and nothing written, if it is ``known`` still."""

    def __call__(self, known: str | None, path: Path) -> str | None:
        """See the class."""
        ...


class ObjectCache:
    """Files of objects by name and version, for any number of threads and processes.

    A file is there whole or not at all. A reader has a hard link of its own, so that no cleaning takes a file away that
    is being read; the folder's file system must know hard links.

    Args:
        folder: is made when it is first needed.
        limit_bytes: what all files together may take; those in use for the first time come on top. 0 keeps nothing.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit = folder, limit_bytes
        self._lock = threading.Lock()
        self._made = False
        self._since_cleaning = limit_bytes  # nobody knows yet what is there

    @contextlib.contextmanager
    def file(self, name: str, fetch: Fetch) -> Iterator[Path]:
        """A file of the object ``name`` as it is now, called as the last part of its name, while the context lasts.

        Args:
            name: names the object among all that share the folder; its last part after ``/`` names the file.
            fetch: asks the store, once.

        Raises:
            StoreError: the folder cannot be written to; and what ``fetch`` raises.
        """
        with contextlib.ExitStack() as held:
            with self._disk():
                self._make()
                place = held.enter_context(partial_path(self._folder))
                place.mkdir()
                file = place / name.rpartition("/")[2]
                known = self._link_known(name, file)
            with self._disk():
                version = fetch(known, file)
                if version is not None:
                    self._keep(name, version, file)
            yield file

    def _make(self) -> None:
        with self._lock:
            if not self._made:
                self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
                remove_leavings(self._folder)
                self._made = True

    def _link_known(self, name: str, file: Path) -> str | None:
        """Link what is kept of the object to ``file``; returns its version, None if nothing is kept."""
        for kept in self._kept(name):
            with contextlib.suppress(FileNotFoundError):  # cleaned away just now
                os.utime(kept)
                os.link(kept, file)
                return kept.name.partition("-")[2]
        return None

    def _keep(self, name: str, version: str, file: Path) -> None:
        """Keep what was fetched; a version whose name cannot be a file's is not kept."""
        size = file.stat().st_size
        if size > self._limit or _ETAG.fullmatch(version) is None:
            return
        with file.open("rb") as handle:
            os.fsync(handle.fileno())  # after a power cut it is whole, or not there
        older = list(self._kept(name))
        path = self._path(name, version)
        path.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another reader was quicker
            os.link(file, path)
        for kept in older:
            if kept != path:
                kept.unlink(missing_ok=True)
        with self._lock:
            self._since_cleaning += size
            due = self._since_cleaning > self._limit * _SPARE
            if due:
                self._since_cleaning = 0
        if due:
            self._clean()

    def _clean(self) -> None:
        """Remove the least recently used files until all fit; processes that do it at once hinder nobody."""
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._limit * (1 - _SPARE):
            return
        for _, size, path in sorted(found):
            if total <= self._limit * (1 - _SPARE):
                break
            path.unlink(missing_ok=True)
            total -= size

    def _kept(self, name: str) -> Iterator[Path]:
        digest = hashlib.sha256(name.encode()).hexdigest()
        yield from (self._folder / digest[:2]).glob(f"{digest}-*")

    def _path(self, name: str, version: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest}-{version}"

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._folder} cannot hold objects ({error.strerror or error}): make room, or lower s3.cache_mb"
            ) from error
