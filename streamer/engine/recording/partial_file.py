"""The file that a recording grows in: hidden, locked, and whole Ogg pages only; published under its name at the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, Self

from tidzam_platform.audio.archive_names import ArchiveName, parse_archive_name
from tidzam_platform.audio.ogg.pages import LAST, Page, PageReader, write_page
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import ArchiveError, RecordingError
from tidzam_platform.files import fsync_folder

SUFFIX: Final = ".partial"
_MAX_SHIFT_S: Final = 3600  # names that are taken, one a second


def partial_path(folder: Path, name: str) -> Path:
    """Where a recording grows that will be called ``name``."""
    return folder / f".{name}{SUFFIX}"


def name_of_partial(path: Path) -> ArchiveName | None:
    """The name that it will have; None if it is no such file."""
    if not (path.name.startswith(".") and path.name.endswith(SUFFIX)):
        return None
    try:
        return parse_archive_name(path.name.removeprefix(".").removesuffix(SUFFIX))
    except ArchiveError:
        return None


class PartialFile:
    """A recording that is being written. The lock on it says that its writer lives."""

    def __init__(self, path: Path, name: ArchiveName, handle: BinaryIO) -> None:
        self.path, self.name = path, name
        self._handle = handle

    @classmethod
    def create(cls, folder: Path, wanted: ArchiveName) -> Self:
        """Begin one under ``wanted``, or the next second whose name is free: nothing is ever overwritten.

        Raises:
            RecordingError: the folder cannot be written to, or no name is free.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for shift_s in range(_MAX_SHIFT_S):
                name = _shifted(wanted, shift_s)
                path = partial_path(folder, str(name))
                if _is_taken(folder / str(name)):
                    continue
                with contextlib.suppress(FileExistsError):
                    return cls(path, name, _create_locked(path))
        except OSError as error:
            raise RecordingError(
                f"no recording can be begun in {folder}: {error.strerror or error}; mend the disk or its rights"
            ) from error
        raise RecordingError(f"{folder}: {wanted} and the names of the hour after it are taken")

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Open one that its writer left behind; None if the writer lives, or it is gone by now.

        Raises:
            OSError: it cannot be opened.
        """
        name = name_of_partial(path)
        if name is None:
            return None
        try:
            handle = path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        if not _lock(handle, path):
            handle.close()
            return None
        return cls(path, name, handle)

    def append(self, data: bytes) -> None:
        """Write whole pages.

        Raises:
            RecordingError: the disk is full or broken.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._handle.write(rest) :]
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def mend(self) -> None:
        """Cut what follows the last whole page, and mark that as the end of its stream.

        Raises:
            OSError: the disk is broken.
            DecodingError: it is damaged beyond use.
        """
        last = None
        for page in PageReader(self._handle):
            last = page
        if last is None:
            self._handle.truncate(0)
            return
        if not last.flags & LAST:
            self._handle.seek(last.offset)
            self._handle.write(_as_last(last))
        self._handle.truncate(last.end)

    def handle(self) -> BinaryIO:
        """The open file, for who reads it."""
        return self._handle

    def publish(self) -> Path:
        """Give it its name, or that of the next free second, once it is safe on the disk; returns where it lies.

        Raises:
            RecordingError: that failed; the file stays as it is, for ``recover``.
        """
        folder = self.path.parent
        try:
            os.fsync(self._handle.fileno())
            reach("recording.synced")
            for shift_s in range(_MAX_SHIFT_S):
                final = folder / str(_shifted(self.name, shift_s))
                if _reserve(final):
                    reach("recording.reserved")
                    self.path.replace(final)
                    reach("recording.renamed")
                    fsync_folder(folder)
                    self.close()
                    return final
        except OSError as error:
            raise RecordingError(
                f"{self.path} is complete but cannot be given its name: {error.strerror or error}"
            ) from error
        raise RecordingError(f"{self.path}: its name and those of the hour after it are taken")

    def discard(self) -> None:
        """Remove it: there is no audio in it."""
        with contextlib.suppress(OSError):  # the next recovery tries again
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of it. May be called again."""
        self._handle.close()


def _shifted(name: ArchiveName, shift_s: int) -> ArchiveName:
    return ArchiveName(name.database, name.local_time + timedelta(seconds=shift_s), name.extension)


def _is_taken(path: Path) -> bool:
    """Whether something is there that must not be overwritten; an empty file is a reservation of a dead writer."""
    try:
        return path.lstat().st_size > 0
    except FileNotFoundError:
        return False


def _reserve(path: Path) -> bool:
    """Make an empty file there, so that nobody else takes the name; False if the name is taken."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
    except FileExistsError:
        return not _is_taken(path)
    return True


def _create_locked(path: Path) -> BinaryIO:
    """Make a fresh file and lock it; FileExistsError if there is one already."""
    handle = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640), "r+b", 0)
    if not _lock(handle, path):  # a recovery met it before we held the lock, and took it for a leaving
        handle.close()
        raise FileExistsError(path)
    return handle


def _lock(handle: BinaryIO, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _as_last(page: Page) -> bytes:
    return write_page(
        flags=page.flags | LAST,
        granule=page.granule,
        serial=page.serial,
        sequence=page.sequence,
        lacing=page.lacing,
        body=page.body,
    )
