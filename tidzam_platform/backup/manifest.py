"""What a backup holds: written last, so that a backup without a manifest is none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from tidzam_platform.errors import BackupError

FORMAT: Final = 1
CATALOG: Final = "catalog.db"
STORE: Final = "store"
MODELS: Final = "models"
ARCHIVE: Final = "archive"
SETTINGS: Final = "settings"
MAX_BYTES: Final = 1 << 30  # of a manifest: some millions of files
_MAX_PATH: Final = 4096
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_BLOB: Final = re.compile(r"[0-9a-f]{64}|[0-9]{1,12}")
_RIGHTS: Final = 0o777


@dataclass(frozen=True)
class Entry:
    """A file of the home.

    Attributes:
        path: where it lies in a home; ``store/<key>`` for an object, ``archive/...`` for a recording.
        blob: the name of its bytes in the backup.
        sha256: of its bytes.
        size_bytes: how many.
        mode: its rights.
        mtime_ns: when it was changed, so that the next backup need not read it again; 0 where that is not known.
    """

    path: str
    blob: str
    sha256: str
    size_bytes: int
    mode: int
    mtime_ns: int = 0


@dataclass
class Manifest:
    """A backup.

    Attributes:
        made_at: UTC of the copy of the catalog, ISO 8601.
        tidzam: version of the program that made it.
        schema: of the catalog, the number of its newest migration.
        counts: rows of each table in the copy of the catalog.
        archive_folder: where the recordings lay, which the catalog names by their whole paths.
        folders: rights of folders that not everybody may enter, by path.
        left_out: what of the home is not in it, and why.
        missing: objects that the catalog names, and that were not in the store; the home itself is damaged.
        removed_meanwhile: objects that were removed while the backup was made; its catalog does not name them.
        entries: the files.
    """

    made_at: str
    tidzam: str
    schema: str
    counts: dict[str, int]
    archive_folder: str = ""
    folders: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    removed_meanwhile: int = 0
    entries: list[Entry] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(entry.size_bytes for entry in self.entries)

    def to_bytes(self) -> bytes:
        """JSON with the SHA-256 of its own content."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        head = {"format": FORMAT, "sha256": hashlib.sha256(content.encode()).hexdigest()}
        return f'{json.dumps(head)[:-1]}, "content": {content}}}\n'.encode()

    @classmethod
    def from_bytes(cls, data: bytes, what: str) -> Manifest:
        """Read it back; names and numbers in it are proven to be harmless.

        Raises:
            BackupError: it is none, damaged, of a newer format, or names what lies outside of a home.
        """
        if len(data) > MAX_BYTES:
            raise BackupError(f"the manifest of {what} is {len(data)} bytes long: that is no manifest")
        try:
            outer: Any = json.loads(data)
            if outer["format"] != FORMAT:
                raise BackupError(
                    f"{what} has format {outer['format']!r}, this Tidzam reads {FORMAT}: use the newer one"
                )
            content = outer["content"]
            text = json.dumps(content, sort_keys=True, ensure_ascii=True)
            if hashlib.sha256(text.encode()).hexdigest() != outer["sha256"]:
                raise BackupError(f"the manifest of {what} is damaged: take another backup")
            entries = [_entry(row) for row in content.pop("entries")]
            folders = {_harmless(path): int(mode) & _RIGHTS for path, mode in content.pop("folders").items()}
            made = cls(**content, entries=entries, folders=folders)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BackupError(f"{what} holds no manifest of a backup ({error}): take another one") from error
        if len({entry.path for entry in made.entries}) < len(made.entries):
            raise BackupError(f"the manifest of {what} names a file twice: it is not one that we wrote")
        return made


def _entry(row: Mapping[str, Any]) -> Entry:
    entry = Entry(**row)
    if not _SHA256.fullmatch(entry.sha256) or not _BLOB.fullmatch(entry.blob) or entry.size_bytes < 0:
        raise ValueError(f"{entry.path!r:.200} is described wrongly")
    return Entry(
        _harmless(entry.path),
        entry.blob,
        entry.sha256,
        entry.size_bytes,
        entry.mode & _RIGHTS,
        int(entry.mtime_ns),
    )


def _harmless(path: str) -> str:
    """``path`` if it stays below the folder that it is joined to; ValueError otherwise."""
    pure = PurePosixPath(path)
    if (
        not path
        or len(path) > _MAX_PATH
        or "\0" in path
        or pure.is_absolute()
        or str(pure) != path
        or any(part in ("..", ".", ".partial") for part in pure.parts)
    ):
        raise ValueError(f"{path!r:.200} would lie outside of the home")
    return path
