"""The folder in shared memory where an engine keeps its rings, and the removal of what dead engines left there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from tidzam_platform.errors import AudioGraphError, BusyError

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder below it is ours alone, and that is checked
_DIGITS: Final = 16
_LOCK: Final = "engine"
_HOME: Final = re.compile(f"[0-9a-f]{{{_DIGITS}}}")
_NAME: Final = re.compile(r"[a-z]+-(?P<engine>[0-9]+-[0-9]+)(?:-[0-9]+)?")


def ring_folder_of(home: Path) -> Path:
    """Where the rings of the engine of this home are: the same for everyone who names the same home."""
    root = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:_DIGITS]
    return root / f"tidzam-{os.getuid()}" / digest


class RingFolder:
    """An engine's folder of rings; a context that removes its files at the end.

    Files are named ``<kind>-<pid>-<start of the process>-<serial>``. The engine holds a lock on
    ``engine-<pid>-<start>``, which the kernel gives back however it ends: files of an engine whose lock is free are
    leavings and are removed.
    """

    def __init__(self, home: Path) -> None:
        """Make the folder, remove leavings, take the lock.

        Raises:
            AudioGraphError: the folder is not ours alone.
            BusyError: another engine of this home is running.
        """
        self.path = ring_folder_of(home)
        _make_private(self.path.parent)
        self._engine = f"{os.getpid()}-{_start_of_this_process()}"
        self._serials = itertools.count(1)
        with _only_one_at_a_time(self.path):
            if living := _remove_leavings(self.path):
                raise BusyError(
                    f"the engine of {home} is already running (process {living.partition('-')[0]}); "
                    "stop it with ./tidzam stop, or name another home"
                )
            self._lock = os.open(
                self.path / f"{_LOCK}-{self._engine}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._lock, fcntl.LOCK_EX)  # waits at most for one who asks whether we live
        _remove_dead_homes(self.path)

    def new_path(self, kind: str) -> Path:
        """A fresh path of this engine; ``kind`` is of small letters."""
        return self.path / f"{kind}-{self._engine}-{next(self._serials)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove this engine's files."""
        if self._lock < 0:
            return
        with _only_one_at_a_time(self.path):
            for path in _files_of(self.path, self._engine):
                path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1
            with contextlib.suppress(OSError):  # another engine's files are there by now
                self.path.rmdir()


@contextlib.contextmanager
def _only_one_at_a_time(folder: Path) -> Iterator[None]:
    """Make ``folder`` and hold its lock: engines that start and end look at each other's files one by one."""
    while True:
        _make_private(folder)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # its last engine has just removed it
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
                yield
                return
        finally:
            os.close(handle)


def living_engine(folder: Path) -> str | None:
    """``<pid>-<start>`` of the engine that keeps its rings in ``folder``; None if none lives."""
    for path in sorted(folder.glob(f"{_LOCK}-*")):
        match = _NAME.fullmatch(path.name)
        if match and _is_locked(path):
            return match["engine"]
    return None


def _remove_leavings(folder: Path) -> str | None:
    """Remove files of engines that are no more; returns an engine that lives, if there is one."""
    living = living_engine(folder)
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and match["engine"] != living:
            path.unlink(missing_ok=True)
    return living


def _remove_dead_homes(own: Path) -> None:
    """Remove what killed engines of other homes left: shared memory is scarce, and their homes may be gone for ever."""
    for folder in own.parent.iterdir():
        if folder == own or not _HOME.fullmatch(folder.name):
            continue
        with contextlib.suppress(OSError):  # somebody is at it, or it is gone
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _remove_leavings(folder) is None:
                    folder.rmdir()
            finally:
                os.close(handle)


def _files_of(folder: Path, engine: str) -> list[Path]:
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return [path for path, match in matches if match and match["engine"] == engine]


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock; the asking takes it for a moment, shared, which hinders nobody's asking."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _make_private(folder: Path) -> None:
    """Make a folder that only we may enter; refuse one that somebody else put there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise AudioGraphError(
            f"{folder} is not a folder that belongs to this user alone: remove it, samples would be open to others"
        )


def _start_of_this_process() -> int:
    """Start time of this process in clock ticks since boot, field 22 of /proc/self/stat; 0 where there is no /proc."""
    path = Path("/proc/self/stat")
    if not path.exists():
        return 0
    return int(path.read_text().rpartition(")")[2].split()[19])
