"""Opening files that may be anything."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tidzam_platform.errors import AudioError, AudioNotFoundError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Yield a regular file opened for reading; never blocks, and touches nothing that is no regular file.

    Errors of the operating system, then and while it is read, become AudioError; an AudioError raised while it is
    open is given the path to begin with.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: it is a folder, a pipe or a device, or may not be read.
    """
    if "\0" in str(path):
        raise AudioNotFoundError(f"{str(path)!r}: no file can have a null byte in its name")
    try:
        # A FIFO that is merely opened already disturbs its writer: look first, and once more when it is open.
        _require_file(path.stat())
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - the file is open already
            _require_file(os.fstat(handle))
            yield file
    except AudioError as error:
        raise type(error)(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"{path}: no such file") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error}") from error


def _require_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise AudioError("is no file: a folder, a pipe or a device cannot be read as audio")
