"""Files that a source may play: those of the archive and of ``sources.file_folders``, opened once and checked then."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, Self

from tidzam_platform.audio.sniffing import MP4, Container, sniff
from tidzam_platform.errors import AudioError, AudioNotFoundError, RefusedAddressError
from tidzam_platform.settings import Settings

_MAX_PATH_BYTES: Final = 4096
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO that is opened disturbs its writer, and would wait for one.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class LocalFile:
    """An open audio file; a context manager that closes it.

    Attributes:
        path: where it was found, links resolved. For people: it is not opened a second time.
        container: what its first bytes are of.
    """

    def __init__(self, path: Path, handle: BinaryIO, container: Container) -> None:
        """Take over an open file."""
        self.path = path
        self.container = container
        self._handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor, at the beginning of the file: what ffmpeg is given as standard input."""
        os.lseek(self._handle.fileno(), 0, os.SEEK_SET)
        return self._handle.fileno()

    @property
    def handle(self) -> BinaryIO:
        """The open file, for those who read it themselves."""
        return self._handle

    def input_arguments(self) -> tuple[str, ...]:
        """What ffmpeg is told of this input, up to ``-i``: it reads its standard input, which is the open file.

        The index of an MP4 file may be at its end. Such a file is opened through the descriptor, so that it can be
        looked for: still no name is followed.
        """
        if self.container is MP4:
            # Without -nostdin ffmpeg would take the bytes of the file for keys that somebody presses.
            return ("-nostdin", "-protocol_whitelist", "file", "-f", MP4.demuxer, "-i", "file:/dev/fd/0")
        return ("-protocol_whitelist", "pipe", "-f", self.container.demuxer, "-i", "pipe:0")

    def close(self) -> None:
        """Close it. May be called again."""
        self._handle.close()


def allowed_folders(settings: Settings) -> list[Path]:
    """The folders whose files may be played, the archive first; links in their own paths are resolved."""
    return [Path(os.path.realpath(folder)) for folder in _written_folders(settings)]


def open_local(path: str | Path, settings: Settings) -> LocalFile:
    """Open a file of one of the allowed folders.

    Links are followed as long as they stay within that folder. What is checked is what is opened: each part of the
    path is opened below the one before it, without following links.

    Args:
        path: absolute, or relative to the archive or to one of the other folders.
        settings: which folders are allowed.

    Raises:
        RefusedAddressError: it is in none of them, is no regular file, or has a name that is not taken.
        AudioNotFoundError: it would be allowed, and is not there.
        AudioError: it cannot be read, or is no audio that we open.
    """
    text = os.fspath(path)
    parts = _parts(text)
    folders = _written_folders(settings)
    if text.startswith("/"):
        candidates = [(folder, below) for folder in folders if (below := _below(parts, folder)) is not None]
        if not candidates:
            raise RefusedAddressError(_in_none(text))
    else:
        candidates = [(folder, parts) for folder in folders]
    for folder, below in candidates:
        _require_plain_names(below)
        found = _resolved(folder, below)
        if found is not None:
            return _opened(*found)
    raise AudioNotFoundError(f"{text!r}: no such file in the folders that may be played")


def _in_none(text: str) -> str:
    """What is told of a path that is elsewhere: how its folder becomes one of ours. Those there are stay untold."""
    folder = os.fspath(Path(text).parent)
    written = json.dumps([folder], ensure_ascii=not folder.isprintable())
    return (
        f"{text!r} is in none of the folders that may be played: the archive and sources.file_folders. Its folder is "
        f"allowed by file_folders = {written} (with those that stand there) below [sources] in tidzam.toml, or by "
        "the same list in TIDZAM_SOURCES__FILE_FOLDERS; then ./tidzam restart engine"
    )


def _written_folders(settings: Settings) -> list[Path]:
    """As the settings have them, absolute."""
    return [
        folder.expanduser().absolute() for folder in (settings.archive_folder, *settings.sources.file_folders)
    ]


def _parts(text: str) -> tuple[str, ...]:
    if "\0" in text or len(os.fsencode(text)) > _MAX_PATH_BYTES or not text.strip("/"):
        raise RefusedAddressError("a path that is empty, too long or has a null byte is refused")
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    if ".." in parts:
        raise RefusedAddressError(f"{text!r} is refused: write the path without '..'")
    return parts


def _below(parts: Sequence[str], folder: Path) -> tuple[str, ...] | None:
    """The path below ``folder``, as it is written or as links lead to it; None if it is elsewhere."""
    for beginning in {folder.parts[1:], Path(os.path.realpath(folder)).parts[1:]}:
        if tuple(parts[: len(beginning)]) == beginning and len(parts) > len(beginning):
            return tuple(parts[len(beginning) :])
    return None


def _require_plain_names(parts: Sequence[str]) -> None:
    for part in parts:
        if part.startswith(("-", ".")) or any(ord(letter) < 32 or ord(letter) == 127 for letter in part):
            raise RefusedAddressError(
                f"{part!r} is refused as a name: it begins with '-' or '.', or has control characters"
            )


def _resolved(folder: Path, below: Sequence[str]) -> tuple[Path, tuple[str, ...]] | None:
    """The folder and the path below it with all links resolved; None if nothing is there.

    Raises:
        RefusedAddressError: a link leads out of the folder.
    """
    root = Path(os.path.realpath(folder))
    try:
        real = Path(os.path.realpath(root.joinpath(*below), strict=True))
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:  # a loop of links, a name that is too long, a folder that may not be read
        raise AudioError(f"{'/'.join(below)!r} cannot be looked for: {error.strerror}") from error
    if root not in real.parents:
        raise RefusedAddressError(
            f"{'/'.join(below)!r} is refused: a link leads out of the folder that may be played"
        )
    parts = real.relative_to(root).parts
    _require_plain_names(parts)
    return root, parts


def _opened(root: Path, parts: Sequence[str]) -> LocalFile:
    path = root.joinpath(*parts)
    try:
        with contextlib.ExitStack() as stack:
            folder = os.open(root, _FOLDER)
            stack.callback(os.close, folder)
            for part in parts[:-1]:
                folder = os.open(part, _FOLDER, dir_fd=folder)
                stack.callback(os.close, folder)
            _require_file(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False), path)
            handle = open(  # noqa: SIM115, PTH123 - LocalFile closes it; below an open folder
                os.open(parts[-1], _FILE, dir_fd=folder), "rb"
            )
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"{path}: no such file") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror or error}") from error
    try:
        _require_file(os.fstat(handle.fileno()), path)
        container = sniff(handle)
        handle.seek(0)
    except AudioError as error:
        handle.close()
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        handle.close()
        raise AudioError(f"{path} cannot be read: {error.strerror or error}") from error
    except BaseException:
        handle.close()
        raise
    return LocalFile(path, handle, container)


def _require_file(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedAddressError(
            f"{path} is refused: it is a folder, a pipe, a socket or a device, and no file"
        )
