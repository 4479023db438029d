"""Files that are whole or absent, and locks that die with their process."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BusyError

PARTIAL_FOLDER = ".partial"
_HASH_BLOCK_BYTES = 1 << 20


def fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def partial_path(root: Path) -> Path:
    """A fresh path below ``root/.partial``; its name carries our process id, so that leavings can be told."""
    folder = root / PARTIAL_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{os.getpid()}-{secrets.token_hex(6)}"


def remove_leavings(root: Path) -> int:
    """Remove what processes that are no more left below ``root/.partial``; returns how many."""
    removed = 0
    for entry in (root / PARTIAL_FOLDER).glob("*"):
        pid_text = entry.name.partition("-")[0]
        if not pid_text.isdigit() or (Path("/proc") / pid_text).exists():
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        removed += 1
    return removed


@contextlib.contextmanager
def whole_file(path: Path, root: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; on success it is fsynced and renamed to ``path``, on failure removed.

    Args:
        path: where the file shall stand; its folder is created.
        root: folder on the same file system that holds ``.partial``; the file's own folder by default.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial_path(root or path.parent)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        reach("files.written")
        temporary.replace(path)
        reach("files.renamed")
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, root: Path | None = None) -> None:
    """Write ``data`` to ``path``: afterwards the file is whole, or as it was before."""
    with whole_file(path, root) as temporary:
        temporary.write_bytes(data)


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
