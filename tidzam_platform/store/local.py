"""Objects as files below one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tidzam_platform.errors import ObjectNotFoundError, StoreError
from tidzam_platform.files import (
    PARTIAL_FOLDER,
    fsync_folder,
    partial_path,
    remove_leavings,
    whole_file,
    write_whole,
)
from tidzam_platform.store.base import is_key, valid_key


class LocalStore:
    """An object store in ``root``; key ``a/b`` is the file ``root/a/b``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        remove_leavings(root)

    def __str__(self) -> str:
        return str(self._root)

    def check(self) -> None:
        """StoreError if the folder may not be written to."""
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise StoreError(f"the store {self._root} may not be written to: make it readable and writable")

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, replacing what was there."""
        with self._storing(key) as path:
            write_whole(path, data, self._root)

    def put_once(self, key: str, data: bytes) -> bool:
        """Store ``data`` unless an object is there; whether what is there now holds these very bytes."""
        with self._storing(key) as path, partial_path(self._root) as temporary:
            with temporary.open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(temporary, path)  # unlike a rename it replaces nothing
            except FileExistsError:
                return path.read_bytes() == data
            fsync_folder(path.parent)
            return True

    def put_file(self, key: str, path: Path) -> None:
        """Store a copy of the file at ``path`` under ``key``, replacing what was there."""
        with self._storing(key) as target, whole_file(target, self._root) as temporary:
            shutil.copyfile(path, temporary)

    def get_bytes(self, key: str) -> bytes:
        """The object's bytes; ObjectNotFoundError if there is none."""
        with self._reading(key) as path:
            return path.read_bytes()

    @contextlib.contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        """The object's own file; not to be written to."""
        with self._reading(key) as path:
            if not path.is_file():
                raise FileNotFoundError(path)
        yield path

    def exists(self, key: str) -> bool:
        """Whether there is an object under ``key``."""
        return self._path(key).is_file()

    def size_bytes(self, key: str) -> int:
        """The object's length in bytes; ObjectNotFoundError if there is none."""
        with self._reading(key) as path:
            if not path.is_file():
                raise FileNotFoundError(path)
            return path.stat().st_size

    def delete(self, key: str) -> None:
        """Remove the object; a key that holds none is fine."""
        path = self._path(key)
        try:
            if path.is_file():
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"object {key!r} cannot be removed from {self._root}: {error}") from error

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix``, in ascending order."""
        parent = prefix.rpartition("/")[0]
        if parent and not is_key(parent):  # no key begins so, and looking there could leave the root
            return
        folder = self._root / parent
        found = (path.relative_to(self._root).as_posix() for path in folder.rglob("*") if path.is_file())
        yield from sorted(
            key for key in found if key.startswith(prefix) and not key.startswith(f"{PARTIAL_FOLDER}/")
        )

    def _path(self, key: str) -> Path:
        return self._root / valid_key(key)

    @contextlib.contextmanager
    def _storing(self, key: str) -> Iterator[Path]:
        """The path that ``key`` stands for; what goes wrong on the way there is the store's failure."""
        path = self._path(key)
        try:
            if path.is_dir():
                _remove_empty_folders(path)  # what deleted objects left
            yield path
        except OSError as error:
            raise StoreError(f"object {key!r} cannot be stored in {self._root}: {error}") from error

    @contextlib.contextmanager
    def _reading(self, key: str) -> Iterator[Path]:
        """The path that ``key`` stands for; what is not there and what cannot be read are told apart."""
        try:
            yield self._path(key)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ObjectNotFoundError(f"no object {key!r} in {self._root}") from error
        except OSError as error:
            raise StoreError(f"object {key!r} in {self._root} cannot be read: {error}") from error


def _remove_empty_folders(top: Path) -> None:
    for parent, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):  # it holds an object
            Path(parent).rmdir()
