"""Backup and restore of a data folder while everything runs: one file, or a folder that grows by what is new.

::

    report = make_backup(settings, Path("/mnt/backups/tidzam"))     # a folder: later ones add what is new
    report = make_backup(settings, Path("/mnt/tidzam.tar.zst"))     # or one file
    verify_backup(Path("/mnt/tidzam.tar.zst"))
    restore_backup(Path("/mnt/tidzam.tar.zst"), settings_of_an_empty_home)
"""

from tidzam_platform.backup.making import BackupReport, make_backup
from tidzam_platform.backup.manifest import Manifest
from tidzam_platform.backup.pruning import prune_backups
from tidzam_platform.backup.restoring import RestoreReport, restore_backup, verify_backup

__all__ = [
    "BackupReport",
    "Manifest",
    "RestoreReport",
    "make_backup",
    "prune_backups",
    "restore_backup",
    "verify_backup",
]
