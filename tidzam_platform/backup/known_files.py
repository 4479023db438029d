"""What the newest backup of a folder holds: a file of the same size and time of change is not read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tidzam_platform.backup.containers import is_file_name, manifests_in, read_manifest
from tidzam_platform.backup.manifest import Entry
from tidzam_platform.errors import BackupError


@dataclass(frozen=True)
class KnownFiles:
    """Entries of the backup before, by path."""

    entries: Mapping[str, Entry]

    @classmethod
    def of(cls, destination: Path) -> Self:
        """Of the newest backup that can be read in a folder; none of a file."""
        if not is_file_name(destination) and destination.is_dir():
            for path in reversed(manifests_in(destination)):
                try:
                    manifest = read_manifest(path)
                except BackupError:  # damaged: all is read again
                    continue
                return cls({entry.path: entry for entry in manifest.entries})
        return cls({})

    def entry(self, place: str, size_bytes: int, mtime_ns: int) -> Entry | None:
        """What is known of the file at ``place`` if it is as it was."""
        found = self.entries.get(place)
        is_same = found is not None and (found.size_bytes, found.mtime_ns) == (size_bytes, mtime_ns)
        return found if is_same and mtime_ns else None

    def blobs(self) -> set[str]:
        """Names of all bytes that were there before."""
        return {entry.blob for entry in self.entries.values()}
