"""The clips that may be labelled, and those that are: what the catalog knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from sqlalchemy import select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group
from tidzam_platform.clips.counting import is_labelled
from tidzam_platform.datasets.manifest import Manifest
from tidzam_platform.datasets.sides import Side
from tidzam_platform.learning.clip_cache import StoredClip

_TEST: Final = "test"


def unlabelled_clips(catalog: Catalog, most: int) -> list[StoredClip]:
    """Clips of which nobody said anything yet, by their hash.

    Where there are more than ``most``, those of the lowest hashes: as good as drawn at random, and the same every
    time. Clips of groups on the test side are left out: no training may see them.
    """
    with catalog.reading() as session:
        rows = session.execute(
            select(Clip, Group)
            .join(Group, Clip.group_id == Group.id)
            .where(~is_labelled(), Group.side.is_distinct_from(_TEST))
            .order_by(Clip.sha256)
            .limit(most)
        ).all()
        return [
            StoredClip(clip.id, clip.sha256, clip.store_key, group.key, cast(Side, group.side or "train"))
            for clip, group in rows
        ]


def still_there(catalog: Catalog, ids: Sequence[int]) -> set[int]:
    """Those of these clips that the catalog still knows."""
    with catalog.reading() as session:
        return set(session.scalars(select(Clip.id).where(Clip.id.in_(ids))))


def labelled_clips(manifest: Manifest) -> list[StoredClip]:
    """Clips of a dataset version that training sees, with the classes present in them, by their hash."""
    found: dict[str, StoredClip] = {}
    for row in manifest.rows:
        if row.verdict != "present" or row.side == _TEST:
            continue
        known = found.get(row.clip_sha256)
        classes = {row.class_path, *(known.class_paths if known else ())}
        found[row.clip_sha256] = StoredClip(
            0, row.clip_sha256, row.store_key, row.group, row.side, tuple(sorted(classes))
        )
    return [found[sha256] for sha256 in sorted(found)]
