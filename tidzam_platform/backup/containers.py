"""The two forms of a backup: one file (tar with zstd), or a folder in which the bytes lie by their hash.

A file holds ``blobs/<n>`` in any order and ``manifest.json`` at its end. A folder holds ``objects/<ab>/<sha256>`` once
for all backups in it, and one ``backups/<moment>.json`` a backup: the next backup only adds what is new. Either way the
manifest comes last and in one step: what a killed process leaves is no backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from tidzam_platform.backup.manifest import MAX_BYTES, Manifest
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BackupError, FolderInUseError
from tidzam_platform.files import (
    PARTIAL_FOLDER,
    exclusive,
    fsync_folder,
    partial_path,
    remove_leavings,
    whole_file,
    write_whole,
)

FILE_ENDINGS: Final = (".tar.zst", ".tzst")
BACKUPS: Final = "backups"
OBJECTS: Final = "objects"
BACKUPS_MARK: Final = "tidzam-backups"  # a file in each folder of backups
_LOCK: Final = ".lock"
DAMAGED: Final = ".damaged"  # what an object is called from when it was found to be
_MANIFEST: Final = "manifest.json"
_MEMBER: Final = re.compile(r"blobs/([0-9]{1,12})")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES: Final = 1 << 20
_PRIVATE: Final = 0o600  # of all that a backup is made of: secrets are in it


@dataclass(frozen=True)
class Blob:
    """Bytes in a backup: their name there, their hash, how many, and whether they were new to it."""

    name: str
    sha256: str
    size_bytes: int
    is_new: bool


class Writer(Protocol):
    """A backup that is being made."""

    def add(self, path: Path) -> Blob:
        """Take the bytes of a file; FileNotFoundError if it has gone."""
        ...

    def has(self, sha256: str, size_bytes: int) -> bool:
        """Whether bytes with this hash are there already."""
        ...

    def finish(self, manifest: Manifest) -> None:
        """Make it a backup; nothing can be added after."""
        ...


Take = Callable[[str, BinaryIO], None]


def is_file_name(path: Path) -> bool:
    """Whether a backup of that name is one file."""
    return path.name.endswith(FILE_ENDINGS)


class FileWriter:
    """A tar, compressed with zstd, on its way to a file."""

    def __init__(self, stream: Any) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see finish
        self._next = 0

    def has(self, sha256: str, size_bytes: int) -> bool:  # noqa: ARG002 - a file holds nothing from before
        """Never."""
        return False

    def add(self, path: Path) -> Blob:
        """See ``Writer``. A file that grows meanwhile is taken as long as it was; that one may not get shorter."""
        name = str(self._next)
        with path.open("rb") as handle:
            reader = _Hashing(handle, os.fstat(handle.fileno()).st_size, path)
            self._put(f"blobs/{name}", reader.left, reader)
        self._next += 1
        return Blob(name, reader.digest.hexdigest(), reader.size_bytes, is_new=True)

    def finish(self, manifest: Manifest) -> None:
        """See ``Writer``."""
        data = manifest.to_bytes()
        reach("backup.before_manifest")
        self._put(_MANIFEST, len(data), io.BytesIO(data))
        self._tar.close()

    def _put(self, name: str, size_bytes: int, handle: Any) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size_bytes, _PRIVATE
        self._tar.addfile(member, handle)


class FolderWriter:
    """A folder of backups, to which one is added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, sha256: str, size_bytes: int) -> bool:
        """See ``Writer``."""
        with contextlib.suppress(OSError):
            return _object(self._folder, sha256).stat().st_size == size_bytes
        return False

    def add(self, path: Path) -> Blob:
        """See ``Writer``."""
        with partial_path(self._folder) as temporary:
            with path.open("rb") as source, _private(temporary) as target:
                reader = _Hashing(source, None, path)
                while block := reader.read(_BLOCK_BYTES):
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
            sha256 = reader.digest.hexdigest()
            is_new = not self.has(sha256, reader.size_bytes)
            if is_new:
                place = _object(self._folder, sha256)
                place.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(place)
                reach("backup.object")
        return Blob(sha256, sha256, reader.size_bytes, is_new)

    def finish(self, manifest: Manifest) -> None:
        """See ``Writer``."""
        _fsync_below(self._folder / OBJECTS)
        reach("backup.before_manifest")
        with (
            whole_file(manifest_path(self._folder, manifest), self._folder) as temporary,
            _private(temporary) as handle,
        ):
            handle.write(manifest.to_bytes())


@contextlib.contextmanager
def writing_file(path: Path) -> Iterator[FileWriter]:
    """A backup that becomes the file ``path`` when the block ends well.

    Raises:
        FolderInUseError: something is there already.
    """
    import pyarrow as pa

    if os.path.lexists(path):
        raise FolderInUseError(f"{path} is there already: name another file, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leavings(path.parent)
    with whole_file(path) as temporary:
        _private(temporary).close()
        with pa.OSFile(str(temporary), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as stream:
            yield FileWriter(stream)


@contextlib.contextmanager
def writing_folder(folder: Path) -> Iterator[FolderWriter]:
    """A backup that is added to the folder when the block ends well.

    Raises:
        FolderInUseError: the folder holds something else.
        BusyError: another backup is being made there.
    """
    prepare_folder(folder)
    with exclusive(folder / _LOCK, f"a backup in {folder}"):
        remove_leavings(folder)
        yield FolderWriter(folder)


def prepare_folder(folder: Path) -> None:
    """Make the folder one for backups; FolderInUseError if it holds something else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / BACKUPS_MARK).exists():
        return
    if any(entry.name not in (PARTIAL_FOLDER, _LOCK) for entry in folder.iterdir()):
        raise FolderInUseError(
            f"{folder} holds something else than backups: name an empty folder, or a file that ends with "
            f"{FILE_ENDINGS[0]}"
        )
    write_whole(folder / BACKUPS_MARK, b"backups of Tidzam, see docs/backup.md\n")


@contextlib.contextmanager
def changing_folder(folder: Path) -> Iterator[None]:
    """Nobody else makes or removes backups there meanwhile; BackupError if it is no folder of backups."""
    if not (folder / BACKUPS_MARK).is_file():
        raise BackupError(f"{folder} is no folder of backups")
    with exclusive(folder / _LOCK, f"a backup in {folder}"):
        yield


def manifest_path(folder: Path, manifest: Manifest) -> Path:
    """Where the manifest of a backup stands in a folder of them."""
    return folder / BACKUPS / f"{manifest.made_at.replace(':', '-')}.json"


def manifests_in(folder: Path) -> list[Path]:
    """The manifests in a folder of backups, the oldest first."""
    return sorted((folder / BACKUPS).glob("*.json"))


def objects_in(folder: Path) -> Iterator[Path]:
    """All objects in a folder of backups."""
    for place in sorted((folder / OBJECTS).glob("??")):
        yield from (path for path in place.iterdir() if _SHA256.fullmatch(path.name))


def damaged_in(folder: Path) -> Iterator[Path]:
    """Objects that were put aside."""
    return (folder / OBJECTS).glob(f"??/*{DAMAGED}")


def read_manifest(path: Path) -> Manifest:
    """A manifest of a folder of backups; BackupError if it is none."""
    try:
        return Manifest.from_bytes(path.read_bytes(), str(path))
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from error


def read_backup(path: Path, take: Take) -> Manifest:
    """Give every blob to ``take`` (its name and its bytes), and return the manifest.

    ``path`` is a file, a folder of backups (the newest counts), or a manifest in such a folder. Names in it are
    numbers or hashes, and lead nowhere.

    Raises:
        BackupError: it is no backup, or was cut.
    """
    if path.is_dir():
        found = manifests_in(path)
        if not found:
            raise BackupError(f"{path} holds no backup: one that was not finished is none")
        return _read_folder(path, read_manifest(found[-1]), take)
    if not path.exists():
        raise BackupError(f"there is no backup {path}")
    if (folder := folder_of(path)) is not None:
        return _read_folder(folder, read_manifest(path), take)
    return _read_file(path, take)


def folder_of(path: Path) -> Path | None:
    """The folder of backups that ``path`` is, or whose manifest it is; None for a backup that is a file."""
    if path.is_dir():
        return path
    folder = path.parent.parent
    return folder if path.suffix == ".json" and (folder / BACKUPS_MARK).is_file() else None


def put_aside(folder: Path, sha256: str) -> Path:
    """Take a damaged object out of a folder of backups, so that the next backup reads it anew; returns where it is."""
    place = _object(folder, sha256)
    aside = place.with_suffix(DAMAGED)
    place.replace(aside)
    return aside


def _read_folder(folder: Path, manifest: Manifest, take: Take) -> Manifest:
    for name in sorted({entry.blob for entry in manifest.entries}):
        if not _SHA256.fullmatch(name):
            raise BackupError(f"{folder}: {name!r} is no object")
        try:
            with _object(folder, name).open("rb") as handle:
                take(name, handle)
        except FileNotFoundError as error:
            raise BackupError(f"{folder} lacks the object {name}: take an older or a newer backup") from error
    return manifest


def _read_file(path: Path, take: Take) -> Manifest:
    import pyarrow as pa

    manifest: Manifest | None = None
    try:
        with (
            pa.OSFile(str(path), "rb") as raw,
            pa.CompressedInputStream(raw, "zstd") as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for member in tar:
                blob = _MEMBER.fullmatch(member.name)
                handle = tar.extractfile(member) if member.isreg() else None
                if manifest is not None or handle is None or not (blob or member.name == _MANIFEST):
                    raise BackupError(f"{path} holds {member.name!r:.200}, which no backup of ours does")
                if blob is not None:
                    take(blob[1], handle)  # type: ignore[arg-type]
                elif member.size > MAX_BYTES:
                    raise BackupError(f"{path} holds a manifest of {member.size} bytes: that is no manifest")
                else:
                    manifest = Manifest.from_bytes(handle.read(), str(path))
    except (tarfile.TarError, pa.ArrowException, EOFError) as error:
        raise BackupError(f"{path} is no backup, or was cut: {error}") from error
    except OSError as error:
        if error.errno:  # of a disk; pyarrow's own have none
            raise
        raise BackupError(f"{path} is no backup, or was cut: {error}") from error
    if manifest is None:
        raise BackupError(f"{path} has no manifest: it was never finished")
    return manifest


class _Hashing:
    """A file that is hashed as it is read; with ``left`` it gives exactly so many bytes."""

    def __init__(self, handle: BinaryIO, left: int | None, path: Path) -> None:
        self._handle, self._path = handle, path
        self.left: int = -1 if left is None else left
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._handle.read(size if self.left < 0 else min(size, self.left))
        if not data and self.left > 0:
            raise BackupError(f"{self._path} got shorter while it was read: make the backup again")
        self.left -= len(data) if self.left > 0 else 0
        self.digest.update(data)
        self.size_bytes += len(data)
        return data


def _object(folder: Path, sha256: str) -> Path:
    return folder / OBJECTS / sha256[:2] / sha256


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE), "wb")


def _fsync_below(folder: Path) -> None:
    """What was renamed into the folders of objects survives a power cut before a manifest names it."""
    for place in (folder, *folder.glob("??")):
        if place.is_dir():
            fsync_folder(place)
