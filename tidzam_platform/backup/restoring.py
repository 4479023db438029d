"""Restoring a backup into an empty home, and proving that one is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from sqlalchemy import select

from tidzam_platform.backup.containers import folder_of, put_aside, read_backup
from tidzam_platform.backup.databases import copy_rows, counts_of, sqlite_catalog
from tidzam_platform.backup.known_files import KnownFiles
from tidzam_platform.backup.manifest import ARCHIVE, CATALOG, STORE, Entry, Manifest
from tidzam_platform.backup.named_objects import named_objects
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BackupError, FolderInUseError
from tidzam_platform.files import PARTIAL_FOLDER, fsync_folder, partial_path, remove_leavings
from tidzam_platform.home import Home, make_home_folder, open_store
from tidzam_platform.settings import Settings
from tidzam_platform.store import LocalStore

_BLOCK_BYTES: Final = 1 << 20
_ROWS: Final = 500


@dataclass(frozen=True)
class RestoreReport:
    """What became of a restore.

    Attributes:
        home: the folder.
        manifest: of the backup.
        counts: rows of each table now.
        schema_before: of the catalog in the backup; it is of this version now.
        missing: objects that the catalog names and that are not there; they were not in the home that was backed up.
        recordings_elsewhere: recordings that the catalog names, and that are not in the backup.
    """

    home: Path
    manifest: Manifest
    counts: dict[str, int]
    schema_before: str
    missing: list[str]
    recordings_elsewhere: int


def verify_backup(path: Path, *, only_new: KnownFiles | None = None) -> Manifest:
    """Read a whole backup and check every hash.

    Args:
        path: a file, a folder of backups (the newest counts), or a manifest in it.
        only_new: leave out what the backup before held; that it is there is checked all the same.

    Raises:
        BackupError: it is none, was cut, or is damaged. Damaged objects of a folder are put aside, so that the next
            backup takes them anew, which mends the older ones too.
    """
    seen: dict[str, tuple[str, int]] = {}
    known = only_new.blobs() if only_new is not None else set()

    def take(name: str, handle: BinaryIO) -> None:
        if name not in known:
            seen[name] = _copied(handle, None)

    manifest = read_backup(path, take)
    if (folder := folder_of(path)) is not None:
        aside = [
            put_aside(folder, name)
            for name in sorted({entry.blob for entry in _damaged(manifest, seen, known)})
        ]
        if aside:
            raise BackupError(
                f"{path}: {len(aside)} object(s) are not what they were when the backup was made, {aside[0]} for one; "
                "they were put aside: make a backup now, it takes them again where this home still holds them"
            )
    _require_whole(path, manifest, seen, known)
    return manifest


def restore_backup(
    path: Path, settings: Settings, *, advance: Callable[[int], None] | None = None
) -> RestoreReport:
    """Restore into the home of ``settings``, which must be empty; the catalog is migrated where it is older.

    Until all is proven to be whole, everything lies in a hidden folder of the home; the catalog comes last.

    Args:
        path: a file, a folder of backups (the newest counts), or a manifest in it.
        settings: of the new home; its store and, where ``database_url`` names one, its database must be empty too.
        advance: told of each file that is read.

    Raises:
        FolderInUseError: the home holds something.
        BackupError: the backup is damaged, or the store or the database holds something.
        CatalogError: the catalog is of a newer Tidzam.
    """
    make_home_folder(settings.home)
    require_empty(settings.home)
    with partial_path(settings.home) as staging:
        staging.mkdir(mode=0o700)
        blobs = staging / "blobs"
        blobs.mkdir()
        seen: dict[str, tuple[str, int]] = {}

        def take(name: str, handle: BinaryIO) -> None:
            seen[name] = _copied(handle, blobs / name)
            if advance is not None:
                advance(1)

        manifest = read_backup(path, take)
        _require_whole(path, manifest, seen, frozenset())
        reach("restore.read")
        tree = staging / "home"
        tree.mkdir()
        _place(manifest, blobs, tree)
        _move_archive(manifest, tree, settings)
        schema, counts = _settle_catalog(manifest, tree / CATALOG)
        _fill_store(tree, settings)
        reach("restore.placed")
        _into_home(tree, settings)
    return _looked_at(settings, manifest, counts, schema)


def require_empty(home: Path) -> None:
    """FolderInUseError if the folder holds anything but what an interrupted restore left, which is removed."""
    remove_leavings(home)
    found = [entry.name for entry in home.iterdir()]
    if found == [PARTIAL_FOLDER] and not any((home / PARTIAL_FOLDER).iterdir()):
        return
    if found:
        raise FolderInUseError(
            f"{home} is not empty ({', '.join(sorted(found)[:3])}...): name a new folder with --home"
        )


def _copied(handle: BinaryIO, target: Path | None) -> tuple[str, int]:
    """SHA-256 and length of what is read, and maybe written to ``target``."""
    digest, size_bytes = hashlib.sha256(), 0
    output = None if target is None else target.open("xb")
    try:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
            size_bytes += len(block)
            if output is not None:
                output.write(block)
        if output is not None:
            output.flush()
            os.fsync(output.fileno())
    finally:
        if output is not None:
            output.close()
    return digest.hexdigest(), size_bytes


def _require_whole(
    path: Path, manifest: Manifest, seen: dict[str, tuple[str, int]], known: set[str] | frozenset[str]
) -> None:
    for entry in _damaged(manifest, seen, known):
        raise BackupError(
            f"{path}: {entry.path} is not what it was when the backup was made: the backup is damaged, take another"
        )
    if not any(entry.path == CATALOG for entry in manifest.entries):
        raise BackupError(f"{path} holds no catalog: it is not one that we wrote")


def _damaged(
    manifest: Manifest, seen: dict[str, tuple[str, int]], known: set[str] | frozenset[str]
) -> Iterator[Entry]:
    """Files whose bytes were read, or were to be read, and are not those that were backed up."""
    for entry in manifest.entries:
        if entry.blob not in known and seen.get(entry.blob) != (entry.sha256, entry.size_bytes):
            yield entry


def _place(manifest: Manifest, blobs: Path, tree: Path) -> None:
    """Give every file its name below ``tree``; the paths are proven to stay there (``Manifest.from_bytes``)."""
    uses = Counter(entry.blob for entry in manifest.entries)
    for place, mode in sorted(manifest.folders.items()):
        (tree / place).mkdir(parents=True, exist_ok=True)
        (tree / place).chmod(mode | 0o700)
    for entry in manifest.entries:
        target = tree / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        uses[entry.blob] -= 1
        if uses[entry.blob]:
            with (blobs / entry.blob).open("rb") as handle:
                _copied(handle, target)
        else:
            (blobs / entry.blob).replace(target)
        _settle_file(target, entry)


def _settle_file(target: Path, entry: Entry) -> None:
    target.chmod(entry.mode)
    if entry.path.startswith(f"{ARCHIVE}/") and entry.mtime_ns:  # the index knows recordings by it
        os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))


def _move_archive(manifest: Manifest, tree: Path, settings: Settings) -> None:
    """Recordings of the backup are now those of the new home, wherever they lay before."""
    if not any(entry.path.startswith(f"{ARCHIVE}/") for entry in manifest.entries):
        return
    if settings.archive_folder != settings.home / ARCHIVE:
        raise BackupError(
            f"the backup holds recordings, and the setting archive names {settings.archive_folder}: unset it for the "
            "restore, and move the folder then"
        )
    before, after = manifest.archive_folder.rstrip("/") + "/", f"{settings.archive_folder}/"
    catalog = sqlite_catalog(tree / CATALOG)
    try:
        with catalog.session() as session:
            for row in session.scalars(select(Recording)).yield_per(_ROWS):
                if row.path.startswith(before):
                    row.path = after + row.path.removeprefix(before)
    finally:
        catalog.close()


def _settle_catalog(manifest: Manifest, path: Path) -> tuple[str, dict[str, int]]:
    """Migrate the catalog; schema that it had, and rows that it has. Rows of tables that it had stay as many."""
    catalog = sqlite_catalog(path)
    try:
        counts = counts_of(catalog)
    finally:
        catalog.close()
    if lost := [name for name, rows in manifest.counts.items() if counts.get(name, rows) != rows]:
        raise BackupError(f"{', '.join(lost)} of the catalog have not as many rows as the backup says")
    return manifest.schema, counts


def _fill_store(tree: Path, settings: Settings) -> None:
    """Objects go where the settings say; into the home's own folder they go with all the rest."""
    staged = settings.model_copy(update={"home": tree, "database_url": ""})
    store = open_store(staged)
    if isinstance(store, LocalStore):
        return
    store.check()
    if next(iter(store.keys()), None) is not None:
        raise BackupError("the store that the settings name holds objects already: name an empty one")
    objects = tree / STORE
    for path in sorted(path for path in objects.rglob("*") if path.is_file()):
        store.put_file(path.relative_to(objects).as_posix(), path)
    shutil.rmtree(objects, ignore_errors=True)


def _into_home(tree: Path, settings: Settings) -> None:
    """Give the home what is in ``tree``, the catalog last."""
    own = settings.home / CATALOG
    if settings.catalog_url != f"sqlite:///{own}":
        source, target = sqlite_catalog(tree / CATALOG), Catalog.open(settings.catalog_url)
        try:
            copy_rows(source, target)
        finally:
            source.close()
            target.close()
        (tree / CATALOG).unlink()
    for path in sorted(tree.iterdir(), key=lambda path: (path.name == CATALOG, path.name)):
        path.replace(settings.home / path.name)
        reach("restore.moved")
    fsync_folder(settings.home)


def _looked_at(settings: Settings, manifest: Manifest, counts: dict[str, int], schema: str) -> RestoreReport:
    home = Home.open(settings)
    try:
        now = counts_of(home.catalog)
        if now != counts:
            raise BackupError(f"{settings.home} was changed while it was restored: stop what runs on it")
        missing = sorted(named_objects(home.catalog) - set(home.store.keys()))
        with home.catalog.reading() as session:
            paths = session.scalars(select(Recording.path)).all()
    finally:
        home.catalog.close()
    elsewhere = sum(1 for path in paths if not Path(path).is_relative_to(settings.archive_folder))
    return RestoreReport(settings.home, manifest, now, schema, missing, elsewhere)
