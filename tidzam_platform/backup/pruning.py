"""Removing old backups from a folder of them."""

from __future__ import annotations

from pathlib import Path

from tidzam_platform.backup.containers import (
    changing_folder,
    damaged_in,
    manifests_in,
    objects_in,
    read_manifest,
)
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BackupError


def prune_backups(folder: Path, keep: int) -> tuple[int, int]:
    """Remove all backups of a folder but the newest ``keep``, then the bytes that none of these needs.

    Returns how many backups were removed, and how many bytes. It may be interrupted at any moment and called again.

    Raises:
        BackupError: it is no folder of backups, ``keep`` is below 1, or a manifest that stays cannot be read.
        BusyError: a backup is being made there.
    """
    if keep < 1:
        raise BackupError("keep at least 1 backup")
    with changing_folder(folder):
        found = manifests_in(folder)
        stay, go = found[-keep:], found[:-keep]
        needed = {entry.blob for path in stay for entry in read_manifest(path).entries}
        for path in go:  # before their bytes: a backup is whole or not there
            path.unlink()
            reach("backup.pruned")
        freed = 0
        for path in objects_in(folder):
            if path.name not in needed:
                freed += path.stat().st_size
                path.unlink()
        for path in list(damaged_in(folder)):
            freed += path.stat().st_size
            path.unlink()
    return len(go), freed
