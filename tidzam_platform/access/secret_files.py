"""Files that only their owner may read, written whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidzam_platform.errors import BusyError, SettingsError
from tidzam_platform.files import remove_leavings, whole_file

_LOCK_FILE: Final = "tokens.lock"
_LOCK_DEADLINE_S: Final = 10.0
_LOCK_POLL_S: Final = 0.02


def make_secrets_folder(folder: Path) -> None:
    """Make the folder where it is missing (0700), and remove what killed processes left in it.

    Raises:
        SettingsError: it cannot be made or looked into.
    """
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        remove_leavings(folder)
    except OSError as error:
        raise SettingsError(f"the folder {folder} of secrets cannot be used: {error.strerror}") from error


def require_private(path: Path) -> None:
    """SettingsError where others than the owner may read or write the file; OSError where it is not there."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(f"{path} may be read by others: remove it for a new one, and chmod 600 it")


def write_private(temporary: Path, data: bytes) -> None:
    """Make the new file ``temporary``, for its owner alone from its first moment; fsynced."""
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_private(path: Path, data: bytes) -> None:
    """Put ``data`` in place of the file: afterwards it is whole, or as it was before."""
    with whole_file(path) as temporary:
        write_private(temporary, data)


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """One process and thread at a time changes the files of ``folder``.

    Raises:
        BusyError: another one holds them for longer than any change takes.
    """
    end_s = time.monotonic() + _LOCK_DEADLINE_S
    lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end_s:
                    raise BusyError(
                        f"another process has held {folder / _LOCK_FILE} for {_LOCK_DEADLINE_S:g} s; end it"
                    ) from error
                time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(lock)  # which frees it
