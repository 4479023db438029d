"""What lies in an archive folder, without opening any file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidzam_platform.archive.report import FirstFew
from tidzam_platform.audio.archive_names import ArchiveName, looks_like_recording, parse_archive_name
from tidzam_platform.errors import ArchiveError


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive, by its name and what the file system says of it."""

    path: Path
    name: ArchiveName
    size_bytes: int
    mtime_ns: int


@dataclass
class Survey:
    """What the names in a folder say."""

    recordings: int = 0
    databases: set[str] = field(default_factory=set)
    ignored: FirstFew = field(default_factory=FirstFew)
    warnings: FirstFew = field(default_factory=FirstFew)


def survey(folder: Path) -> Survey:
    """Read all names below ``folder``."""
    found = Survey()

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a folder that has just gone is no news
            found.warnings.add(f"{error.filename}: the folder cannot be read: {error.strerror}")

    for path in _files(folder, unreadable):
        try:
            name = _name(path)
        except ArchiveError as error:
            found.ignored.add(str(path.relative_to(folder)))
            if looks_like_recording(path.name):  # somebody meant it to be one
                found.warnings.add(str(error))
            continue
        found.recordings += 1
        found.databases.add(name.database)
    return found


def entries(folder: Path, on_failure: Callable[[Path, str], None]) -> Iterator[Entry]:
    """The archive's files below ``folder``, folder by folder, in the order of their names.

    One that vanishes meanwhile is left out; ``on_failure`` is told of one that cannot be looked at or is no
    regular file (a pipe would block whoever opens it).
    """
    for path in _files(folder, lambda _error: None):
        try:
            name = _name(path)
        except ArchiveError:
            continue
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                on_failure(path, "the link leads nowhere")
            continue
        except OSError as error:
            on_failure(path, f"the file cannot be looked at: {error.strerror}")
            continue
        if stat.S_ISREG(status.st_mode):
            yield Entry(path, name, status.st_size, status.st_mtime_ns)
        else:
            on_failure(path, "this is no regular file")


def is_gone(path: Path) -> bool:
    """Whether surely no file is there; False where that cannot be seen, e.g. for want of permission."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _files(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    # Hidden folders hold what is unfinished (.partial) or thrown away (.Trash); linked ones may form circles.
    for parent, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


def _name(path: Path) -> ArchiveName:
    name = parse_archive_name(path.name)
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ArchiveError(
            f"{path!r} is not UTF-8 and cannot stand in the catalog: rename its folder"
        ) from error
    return name
