"""Opening files that may be anything."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

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
    try:
        # A FIFO that is merely opened already disturbs its writer: look first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise AudioError("is no file: a folder, a pipe or a device cannot be read as audio")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - the file is open already
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise AudioError("was replaced by something that is no file while it was opened")
            yield cast("BinaryIO", file)
    except AudioError as error:
        raise type(error)(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise AudioError(f"{path}: cannot be read: {error}") from error
