"""Files that are whole or absent, and locks that die with their process."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BusyError

PARTIAL_FOLDER = ".partial"
_OWNER: Final = ".owner"
_PARTIAL: Final = re.compile(rf"([0-9]+-[0-9a-f]+)(?:{re.escape(_OWNER)})?")
_HASH_BLOCK_BYTES = 1 << 20


def fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def partial_path(root: Path) -> Iterator[Path]:
    """Yield a fresh path below ``root/.partial``, where nothing is yet; what stands there at the end is removed.

    A lock on a file beside it says that its owner lives. The kernel keeps it, so it also holds among containers that
    share the folder and number their processes each for itself.
    """
    folder = root / PARTIAL_FOLDER
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):  # it was removed between two looks: once more
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise
            continue
        # The process is named for people who look there.
        path = folder / f"{os.getpid()}-{secrets.token_hex(6)}"
        with contextlib.suppress(FileNotFoundError):  # somebody was done there, and removed the folder
            if (lock := _own(path)) is not None:  # else a cleaner met the lock's file before we held it
                break
    try:
        yield path
    finally:
        try:
            _remove(path, ignore_errors=True)
        finally:
            _owner_file(path).unlink(missing_ok=True)
            os.close(lock)


def remove_leavings(root: Path) -> int:
    """Remove what owners that are no more left below ``root/.partial``; returns how many.

    Names that ``partial_path`` does not give are left alone.
    """
    removed = 0
    folder = root / PARTIAL_FOLDER
    found = (_PARTIAL.fullmatch(entry.name) for entry in folder.glob("*"))
    for path in {folder / match[1] for match in found if match}:
        if (lock := _own(path)) is None:
            continue
        try:
            if os.path.lexists(path):  # else it was finished since we looked, or never begun
                _remove(path)
                removed += 1
            _owner_file(path).unlink(missing_ok=True)
        finally:
            os.close(lock)
    return removed


def _owner_file(path: Path) -> Path:
    return path.with_name(path.name + _OWNER)


def _own(path: Path) -> int | None:
    """The descriptor that holds the lock of ``path``; None if somebody else has it or takes it away just now."""
    owner = _owner_file(path)
    try:
        lock = os.open(owner, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        if owner.exists():  # another user's, who cleans up alone
            return None
        raise
    held = False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.path.samestat(os.fstat(lock), owner.stat())
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        if not held:
            os.close(lock)
    return lock if held else None


def remove_empty_partial_folder(root: Path) -> None:
    """Remove ``root/.partial`` if nothing is in it: in a folder of the user, who has no use for it."""
    with contextlib.suppress(OSError):  # it holds what somebody else writes, or is not there
        (root / PARTIAL_FOLDER).rmdir()


def _remove(path: Path, *, ignore_errors: bool = False) -> None:
    if path.is_dir() and not path.is_symlink():  # what a link leads to is not ours
        shutil.rmtree(path, ignore_errors=ignore_errors)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(path: Path, root: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; on success it is fsynced and renamed to ``path``, on failure removed.

    Args:
        path: where the file shall stand; its folder is created.
        root: folder on the same file system that holds ``.partial``; the file's own folder by default.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial_path(root or path.parent) as temporary:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        reach("files.written")
        temporary.replace(path)
        reach("files.renamed")
        fsync_folder(path.parent)


def write_whole(path: Path, data: bytes, root: Path | None = None) -> None:
    """Write ``data`` to ``path``: afterwards the file is whole, or as it was before."""
    with whole_file(path, root) as temporary:
        temporary.write_bytes(data)


def write_for_user(path: Path, data: bytes) -> None:
    """As ``write_whole``, in a folder of the user: nothing else is left there."""
    try:
        write_whole(path, data)
    finally:
        remove_empty_partial_folder(path.parent)


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as handle:
        return sha256_of_handle(handle)


def sha256_of_handle(handle: BinaryIO) -> str:
    """Hexadecimal SHA-256 of what an open file still holds, read in blocks."""
    digest = hashlib.sha256()
    while block := handle.read(_HASH_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def exclusive(lock_file: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock; the kernel frees it when the process ends, however it ends.

    Raises:
        BusyError: another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"{what} is already running (lock {lock_file}); wait for it or stop it"
            ) from error
        yield
