"""Removing clips for want of space: the oldest that nobody has labelled, row and object, also across ``kill -9``."""

from __future__ import annotations

import json
import os
import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip
from tidzam_platform.clips.counting import is_removable
from tidzam_platform.clips.objects import delete_clip_objects
from tidzam_platform.crash_points import reach
from tidzam_platform.store import ObjectStore
from tidzam_platform.store.base import is_key

BATCH: Final = 16
_JOURNAL_BYTES: Final = 16_384  # BATCH keys of the greatest length, and more


class RemovalJournal:
    """Which objects are being removed: a file of fixed size, so that noting it needs no space on a full disk.

    A row goes before its object, so that the catalog names nothing that is not there; what a crash leaves in between
    is an object that nobody names, and stands here.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be made."""
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size < _JOURNAL_BYTES:
                os.posix_fallocate(handle, 0, _JOURNAL_BYTES)
        finally:
            os.close(handle)

    def write(self, keys: Sequence[str]) -> None:
        """Note these, instead of what was noted; OSError where that fails."""
        text = json.dumps(list(keys)).encode()
        line = f"{zlib.crc32(text):08x} {len(text)} ".encode() + text
        if len(line) > _JOURNAL_BYTES:
            raise ValueError(f"{len(keys)} keys are too many for the journal")
        handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(handle, line, 0)
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def read(self) -> list[str]:
        """What is noted; nothing if a crash cut it, since then nothing had been removed yet."""
        line = self._path.read_bytes()
        crc, _, rest = line.partition(b" ")
        length, _, text = rest.partition(b" ")
        try:
            text = text[: int(length)]
            if int(crc, 16) != zlib.crc32(text):
                return []
            keys = json.loads(text)
        except ValueError:
            return []
        return [key for key in keys if isinstance(key, str) and is_key(key)]


@dataclass(frozen=True)
class Removal:
    """Clips that were removed, and how many bytes their objects had."""

    clips: int
    freed_bytes: int


def remove_oldest_unlabelled(
    catalog: Catalog, store: ObjectStore, journal: RemovalJournal, needed_bytes: int
) -> Removal:
    """Remove the oldest clips of live audio of which nobody ever said anything; a labelled one never.

    So many as make ``needed_bytes`` free, at least one where there is one, ``BATCH`` at most.

    Raises:
        CatalogError, StoreError: they failed; ``finish_removals`` completes what was begun.
        OSError: the journal cannot be written; nothing was removed.
    """
    with catalog.reading() as session:
        found = session.execute(
            select(Clip.id, Clip.store_key, Clip.origin).where(is_removable()).order_by(Clip.id).limit(BATCH)
        ).all()
    sizes = list(accumulate(_bytes_of(row.origin) for row in found))
    oldest = found[: bisect_left(sizes, needed_bytes) + 1]
    if not oldest:
        return Removal(0, 0)
    journal.write([row.store_key for row in oldest])
    reach("clips.removal_noted")
    removed = []
    for row in oldest:
        try:
            with catalog.session() as session:
                gone = session.execute(
                    delete(Clip).where(Clip.id == row.id, is_removable()).returning(Clip.id)
                )
                if gone.first() is not None:
                    removed.append(row)
        except IntegrityError:  # somebody labels it this moment: it stays
            continue
        reach("clips.row_removed")
    for row in removed:
        delete_clip_objects(store, row.store_key)
        reach("clips.object_removed")
    journal.write([])
    return Removal(len(removed), sum(_bytes_of(row.origin) for row in removed))


def finish_removals(catalog: Catalog, store: ObjectStore, journal: RemovalJournal) -> int:
    """Remove the objects whose rows a process removed that ended then; returns how many. Raises as above."""
    noted = journal.read()
    if not noted:
        return 0
    with catalog.reading() as session:
        named = set(session.scalars(select(Clip.store_key).where(Clip.store_key.in_(noted))))
    left = [key for key in noted if key not in named and store.exists(key)]
    for key in left:
        delete_clip_objects(store, key)
    journal.write([])
    return len(left)


def _bytes_of(origin: Mapping[str, Any]) -> int:
    return int(origin.get("bytes", 0))
