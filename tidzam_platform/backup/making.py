"""Making a backup while everything runs: the catalog first, then whatever it may name.

Objects of the store and versions of models are written before the catalog names them and never change, so that all
that a copy of the catalog names can still be copied after it, but for what is removed meanwhile: that is taken out of
the copy too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tidzam_platform import __version__
from tidzam_platform.backup.containers import (
    Writer,
    is_file_name,
    manifest_path,
    writing_file,
    writing_folder,
)
from tidzam_platform.backup.contents import LEFT_OUT, archive_files, home_files, settings_files
from tidzam_platform.backup.databases import copy_catalog, copy_sqlite, counts_of, is_sqlite, sqlite_catalog
from tidzam_platform.backup.known_files import KnownFiles
from tidzam_platform.backup.manifest import ARCHIVE, CATALOG, MODELS, STORE, Entry, Manifest
from tidzam_platform.backup.named_objects import named_objects, take_out_removed
from tidzam_platform.backup.restoring import verify_backup
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.database import SCHEMA_HEAD
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BackupError, ObjectNotFoundError
from tidzam_platform.files import exclusive, partial_path
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

_MODEL_ATTEMPTS: Final = 5  # versions are published and removed rarely
_RIGHTS: Final = 0o777
_OWNERS_ALONE: Final = 0o600


@dataclass
class BackupReport:
    """What became of a backup.

    Attributes:
        path: the file, or the folder.
        manifest: what is in it.
        new_bytes: that were not in the folder before.
        seconds: that it took, the verification among them.
    """

    path: Path
    manifest: Manifest
    new_bytes: int
    seconds: float


@dataclass
class _Work:
    """A backup on its way."""

    settings: Settings
    writer: Writer
    staging: Path
    manifest: Manifest
    known: KnownFiles
    new_bytes: int = 0
    advance: Callable[[int], None] = field(default=lambda _more: None)

    def add(self, place: str, path: Path, *, mode: int | None = None) -> bool:
        """Take a file; False if it has gone."""
        try:
            status = path.stat()
            known = self.known.entry(place, status.st_size, status.st_mtime_ns)
            if known is not None and self.writer.has(known.sha256, known.size_bytes):
                self.manifest.entries.append(known)
                self.advance(1)
                return True
            blob = self.writer.add(path)
        except FileNotFoundError:
            return False
        self.new_bytes += blob.size_bytes if blob.is_new else 0
        self.manifest.entries.append(
            Entry(
                place,
                blob.name,
                blob.sha256,
                blob.size_bytes,
                (status.st_mode if mode is None else mode) & _RIGHTS,
                status.st_mtime_ns if blob.size_bytes == status.st_size else 0,
            )
        )
        self.advance(1)
        reach("backup.file")
        return True


def make_backup(
    settings: Settings,
    destination: Path,
    *,
    archive: bool = False,
    advance: Callable[[int], None] | None = None,
) -> BackupReport:
    """Back up the home of ``settings``; nothing needs to be stopped.

    Args:
        settings: of the home.
        destination: a file that ends with ``.tar.zst``, or a folder, to which each backup adds what is new.
        archive: take the recordings too.
        advance: told of each file that is done.

    Raises:
        BackupError: there is no catalog, or something cannot be copied.
        FolderInUseError: the file is there already, or the folder holds something else.
        BusyError: another backup is being made.
    """
    began_s = time.monotonic()
    destination = destination.absolute()
    _require_outside(settings, destination)
    with exclusive(settings.locks_folder / "backup", "a backup"), contextlib.ExitStack() as held:
        known = KnownFiles.of(destination)
        writer: Writer
        if is_file_name(destination):
            writer = held.enter_context(writing_file(destination))
        else:
            writer = held.enter_context(writing_folder(destination))
        root = destination.parent if is_file_name(destination) else destination
        staging = held.enter_context(partial_path(root))
        staging.mkdir(mode=0o700)
        manifest = Manifest("", __version__, SCHEMA_HEAD, {}, str(settings.archive_folder))
        work = _Work(settings, writer, staging, manifest, known)
        work.advance = advance or work.advance
        _copy(work, archive=archive)
        writer.finish(manifest)
    made = destination if is_file_name(destination) else manifest_path(destination, manifest)
    _require_readable(made, known)
    return BackupReport(destination, manifest, work.new_bytes, time.monotonic() - began_s)


def _require_outside(settings: Settings, destination: Path) -> None:
    if is_file_name(destination) and destination.is_relative_to(settings.home):
        raise BackupError(
            f"{destination} would be part of the next backup: name a place outside of {settings.home}"
        )
    inside = (settings.store_folder, settings.models_folder, settings.archive_folder, settings.dagster_folder)
    if destination == settings.home or any(destination.is_relative_to(folder) for folder in inside):
        raise BackupError(
            f"{destination} lies within what is backed up: name a place outside of {settings.home}"
        )


def _require_readable(made: Path, known: KnownFiles) -> None:
    """Read the file, or what the manifest names, again; one that is damaged is taken away: it is none."""
    try:
        verify_backup(made, only_new=known)
    except BackupError:
        made.unlink(missing_ok=True)
        raise


def _copy(work: _Work, *, archive: bool) -> None:
    manifest = work.manifest
    home = Home.open(work.settings)
    try:
        manifest.made_at = format_utc(utc_now())
        copy = work.staging / CATALOG
        copy_catalog(work.settings.catalog_url, copy)
        reach("backup.catalog")
        manifest.left_out += [
            f"{name}: {why}" for name, why in LEFT_OUT.items() if not (archive and name == ARCHIVE)
        ]
        _leave_out_postgresql(work)
        _copy_home(work)
        for found in settings_files(work.settings):
            work.add(found.place, found.path, mode=_OWNERS_ALONE)
        _copy_store(work, home)
        if archive:
            folder = work.settings.archive_folder
            for path in archive_files(folder, manifest.left_out):
                work.add(f"{ARCHIVE}/{path.relative_to(folder).as_posix()}", path)
        _settle_catalog(work, home.catalog, copy)
        work.add(CATALOG, copy, mode=_OWNERS_ALONE)
    finally:
        home.catalog.close()


def _leave_out_postgresql(work: _Work) -> None:
    configuration = work.settings.dagster_folder / "dagster.yaml"
    if configuration.is_file() and b"postgres" in configuration.read_bytes().lower():
        work.manifest.left_out.append("Dagster's PostgreSQL database: back it up with pg_dump")


def _copy_home(work: _Work) -> None:
    """Small state, then models; versions that came or went meanwhile: the models once more."""
    folders, left_out = work.manifest.folders, work.manifest.left_out
    for found in home_files(work.settings, folders, left_out):
        if found.place.startswith(f"{MODELS}/") or _is_destination(work, found.path):
            continue
        _add_file(work, found.place, found.path)
    for _ in range(_MODEL_ATTEMPTS):
        before = _model_files(work)
        for place, path in before:
            work.add(place, path)
        if _model_files(work) == before:
            return
        work.manifest.entries = [
            entry for entry in work.manifest.entries if not entry.path.startswith(f"{MODELS}/")
        ]
    raise BackupError(f"{work.settings.models_folder} changed all the time: make the backup again")


def _is_destination(work: _Work, path: Path) -> bool:
    """Backups may lie in the home, in a folder of their own."""
    root = work.staging.parent.parent
    return root != work.settings.home and path.is_relative_to(root)


def _add_file(work: _Work, place: str, path: Path) -> None:
    if not is_sqlite(path):
        work.add(place, path)
        return
    copy = work.staging / "copy.db"
    copy.unlink(missing_ok=True)
    if path.exists():
        copy_sqlite(path, copy)
        work.add(place, copy, mode=path.stat().st_mode)
        copy.unlink()


def _model_files(work: _Work) -> list[tuple[str, Path]]:
    return [
        (found.place, found.path)
        for found in home_files(work.settings, work.manifest.folders, [])
        if found.place.startswith(f"{MODELS}/")
    ]


def _copy_store(work: _Work, home: Home) -> None:
    for key in home.store.keys():  # noqa: SIM118 - a method of the store, not of a dict
        with contextlib.suppress(ObjectNotFoundError), home.store.as_file(key) as path:
            work.add(f"{STORE}/{key}", path)


def _settle_catalog(work: _Work, live: Catalog, copy: Path) -> None:
    """Let the copy name nothing that was removed since; tell what the home itself lacks."""
    there = {entry.path.removeprefix(f"{STORE}/") for entry in work.manifest.entries}
    opened = sqlite_catalog(copy)
    try:
        lacking = named_objects(opened) - there
        if lacking:
            still = lacking & named_objects(live)
            work.manifest.removed_meanwhile = take_out_removed(opened, lacking - still)
            work.manifest.missing = sorted(named_objects(opened) - there)
        work.manifest.counts = counts_of(opened)
    finally:
        opened.close()
    if copy.with_name(copy.name + "-wal").exists():
        raise BackupError(f"the copy of the catalog {copy} could not be closed: make the backup again")
