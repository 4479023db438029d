"""Clips on their way into the store and the catalog: a whole file in the spool first, then all the rest.

A clip lies in the spool as ``<sha256>.flac`` until its object is in the store and its row in the catalog; whoever ends
in between, ``recover_clips`` goes on from there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group, RecorderRule
from tidzam_platform.clips.flac import FlacHead, encode_flac, read_flac_head
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.objects import audio_key
from tidzam_platform.clock import utc_now
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import CatalogError, DecodingError, StoreError
from tidzam_platform.files import fsync_folder, remove_leavings, sha256_of_file, write_whole
from tidzam_platform.store import ObjectStore

CLIP_RATE_HZ: Final = 48_000
CODEC: Final = "flac"
DAMAGED_FOLDER: Final = "damaged"
_NAME: Final = re.compile(r"([0-9a-f]{64})\.flac")
_MAX_HEAD_BYTES: Final = 1 << 20
_INSERTS: Final = 3  # the first may meet another's group, the second another's clip


@dataclass(frozen=True)
class RecordedClip:
    """A clip that is in the store and in the catalog; ``is_new``: it was not before."""

    id: int
    sha256: str
    seconds: float
    size_bytes: int
    metadata: ClipMetadata
    is_new: bool


@dataclass
class ClipRecovery:
    """What a recovery did.

    Attributes:
        recorded: clips that are in store and catalog now, and no more in the spool.
        unfinished: files that were cut, removed.
        damaged: whole files that are no clips any more, put aside.
        failed: why some could not be recorded now; they stay in the spool.
        error: the last of these.
    """

    recorded: list[RecordedClip] = field(default_factory=list)
    unfinished: int = 0
    damaged: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    error: Exception | None = None


def clip_bytes(samples: NDArray[np.int16], metadata: ClipMetadata) -> bytes:
    """The FLAC file of a clip: samples int16 ``[frames]`` at 48 kHz; raises as ``encode_flac``."""
    return encode_flac(samples, CLIP_RATE_HZ, metadata.to_comments())


def spool_clip(folder: Path, data: bytes) -> Path:
    """Write a clip's file into the spool: afterwards it is there whole, or not at all.

    Raises:
        OSError: the disk is full or broken; nothing is left of it.
    """
    path = folder / f"{hashlib.sha256(data).hexdigest()}.flac"
    write_whole(path, data)
    reach("clips.spooled")
    return path


def record_clip(catalog: Catalog, store: ObjectStore, path: Path, *, group_s: int) -> RecordedClip:
    """Bring a clip of the spool into store and catalog, and remove it there. The same call twice adds nothing.

    Args:
        catalog, store: where it goes.
        path: in the spool, as ``spool_clip`` gave it.
        group_s: length of the blocks of time in which all clips of a source are one group.

    Raises:
        DecodingError: its bytes are not those that its name says, or it is no clip.
        StoreError, CatalogError: they failed; it stays in the spool, and the same call may be made again.
        OSError: the spool cannot be read.
    """
    sha256 = _sha256_of_name(path)
    if sha256 is None or sha256_of_file(path) != sha256:
        raise DecodingError(f"{path} does not hold the clip that its name says")
    with path.open("rb") as handle:
        head = read_flac_head(handle.read(_MAX_HEAD_BYTES))
    metadata = ClipMetadata.from_comments(head.comments)
    key = audio_key(sha256, CODEC)
    known = _known(catalog, sha256)
    if known is None or not store.exists(key):
        store.put_file(key, path)
    reach("clips.stored")
    size_bytes = path.stat().st_size
    clip_id = known
    if clip_id is None:
        new = _NewClip(sha256, key, size_bytes, head, metadata, group_key(metadata, group_s))
        clip_id = _inserted(catalog, new)
    reach("clips.recorded")
    path.unlink(missing_ok=True)
    reach("clips.done")
    return RecordedClip(clip_id, sha256, head.frames / head.rate_hz, size_bytes, metadata, known is None)


def recover_clips(
    catalog: Catalog, store: ObjectStore, folder: Path, *, group_s: int, most: int | None = None
) -> ClipRecovery:
    """Complete what an ended process left in the spool: cut files are removed, whole ones recorded.

    Args:
        catalog, store: where they go.
        folder: the spool.
        group_s: see ``record_clip``.
        most: so many of them at a time; all by default.

    Raises:
        OSError: the spool cannot be read.
    """
    recovery = ClipRecovery(unfinished=remove_leavings(folder))
    for path in sorted(folder.glob("*.flac"))[:most]:
        try:
            try:
                recovery.recorded.append(record_clip(catalog, store, path, group_s=group_s))
            except DecodingError:
                recovery.damaged.append(put_aside(path))
        except Exception as error:  # noqa: BLE001 - also what nobody foresaw: one clip must not cost the others
            recovery.failed.append(f"{path.name}: {error}")
            recovery.error = error
            if isinstance(error, CatalogError | StoreError):  # the next ones would fail as this one
                break
    return recovery


def put_aside(path: Path) -> Path:
    """Move a damaged file where nobody takes it for a clip."""
    target = path.parent / DAMAGED_FOLDER / path.name
    target.parent.mkdir(exist_ok=True)
    path.replace(target)
    fsync_folder(target.parent)
    return target


def group_key(metadata: ClipMetadata, group_s: int) -> str:
    """The group of a clip: of its source, and of the block of ``group_s`` seconds since 1970 in which it begins."""
    block_s = metadata.start_utc_ns // (group_s * 1_000_000_000) * group_s
    return f"live/{metadata.source}/{datetime.fromtimestamp(block_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class _NewClip:
    sha256: str
    key: str
    size_bytes: int
    head: FlacHead
    metadata: ClipMetadata
    group: str


def _sha256_of_name(path: Path) -> str | None:
    match = _NAME.fullmatch(path.name)
    return match[1] if match else None


def _known(catalog: Catalog, sha256: str) -> int | None:
    with catalog.reading() as session:
        return session.scalar(select(Clip.id).where(Clip.sha256 == sha256))


def _inserted(catalog: Catalog, new: _NewClip) -> int:
    """The number of the clip, inserted unless somebody else inserts it, or its group, this moment."""
    for _ in range(_INSERTS):
        try:
            return _insert(catalog, new)
        except IntegrityError as error:
            reason = error.orig
        known = _known(catalog, new.sha256)
        if known is not None:
            return known
    raise CatalogError(f"the clip {new.sha256} cannot be recorded: {reason}")


def _insert(catalog: Catalog, new: _NewClip) -> int:
    metadata = new.metadata
    with catalog.session() as session:
        clip = Clip(
            sha256=new.sha256,
            store_key=new.key,
            codec=CODEC,
            rate_hz=new.head.rate_hz,
            channels=new.head.channels,
            seconds=new.head.frames / new.head.rate_hz,
            group=_group(session, new.group),
            origin={
                "bytes": new.size_bytes,
                "window_s": list(metadata.window),
                "level_dbfs": metadata.level_dbfs,
                "rule": metadata.rule_id,
                **({} if metadata.canary is None else {"canary": metadata.canary}),
            },
            added_at=utc_now(),
            channel=metadata.channel,
            start=metadata.start,
            generation=metadata.generation,
            class_path=metadata.class_path,
            score=metadata.score,
            rule_id=_rule_id(session, metadata.rule_id),
            destination=metadata.destination,
        )
        session.add(clip)
        session.flush()
        return clip.id


def _group(session: Session, key: str) -> Group:
    return session.scalar(select(Group).where(Group.key == key)) or Group(key=key)


def _rule_id(session: Session, rule_id: int) -> int | None:
    """The rule, if this catalog knows it: a spool may come from another home."""
    return session.scalar(select(RecorderRule.id).where(RecorderRule.id == rule_id))
