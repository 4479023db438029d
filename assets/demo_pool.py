"""The demo's pool in a home: imported without labels, which the truth gives one round after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from sqlalchemy import select

from tidzam_platform.catalog.tables import Clip, DatasetVersion, Group
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.build import load_manifest, summarise
from tidzam_platform.datasets.importer import import_labels
from tidzam_platform.datasets.manifest import Manifest
from tidzam_platform.datasets.sides import Side
from tidzam_platform.files import sha256_of_file
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget
from tidzam_platform.learning.clip_cache import ClipCache, StoredClip
from tidzam_platform.learning.pool import Pool, sides_of_groups
from tidzam_platform.learning.queue import CACHE_FOLDER
from tidzam_platform.made_site.pool import MadePool

ANNOTATOR: Final = "made_site"
_TOOL: Final = "demo"


@dataclass(frozen=True)
class ImportedPool:
    """The pool with its features, and which clip of the catalog each of ``pool.clips`` is."""

    home: Home
    pool: Pool
    clip_ids: tuple[int, ...]

    def label(self, indices: Sequence[int]) -> None:
        """Give clips the labels that are true, as a person would."""
        for index in indices:
            statements = [Statement(path) for path in self.pool.clips[index].class_paths]
            target = ClipTarget(self.clip_ids[index])
            annotate(self.home.catalog, target, statements, annotator=ANNOTATOR, tool=_TOOL)


def import_pool(home: Home, made: MadePool, front_end: FrontEnd) -> ImportedPool:
    """Bring the pool into catalog and store: labels of the test clips only, a side for every group."""
    unlabelled = [replace(entry, class_paths=()) for entry in made.pool]
    import_labels(home.catalog, home.store, unlabelled, annotator=ANNOTATOR)
    import_labels(home.catalog, home.store, made.test, annotator=ANNOTATOR)
    sides: dict[str, Side] = sides_of_groups(
        [(entry.group or "", entry.class_paths[0]) for entry in made.pool]
    )
    sides |= {entry.group or "": "test" for entry in made.test}
    _give_sides(home, sides)
    stored = _stored(home, made.pool)
    tested = [replace(clip, side="test") for clip in _stored(home, made.test)]
    cache = ClipCache(home.settings.home / "cache" / CACHE_FOLDER, front_end)
    pool = Pool(tuple(cache.load(home.store, stored)), tuple(cache.load(home.store, tested)))
    return ImportedPool(home, pool, tuple(clip.id for clip in stored))


def shuffled_version(home: Home, version: str, seed: int) -> str:
    """A dataset version like ``version`` whose labels went astray: each stands at some other clip; the test is true."""
    rows = load_manifest(home.catalog, home.store, version).rows
    learnt = [number for number, row in enumerate(rows) if row.side != "test"]
    order = np.random.default_rng([seed, len(learnt)]).permutation(learnt).tolist()
    astray = dict(zip(learnt, (rows[number].class_path for number in order), strict=True))
    manifest = Manifest.of(
        replace(row, class_path=astray.get(number, row.class_path)) for number, row in enumerate(rows)
    )
    key = f"datasets/{manifest.version}/manifest.parquet"
    home.store.put_bytes(key, manifest.to_parquet())
    with home.catalog.session() as session:
        if session.get(DatasetVersion, manifest.version) is None:
            true = session.get_one(DatasetVersion, version)
            summary = {**true.summary, **summarise(manifest), "shuffled": True}
            session.add(
                DatasetVersion(
                    version=manifest.version,
                    store_key=key,
                    clips=manifest.clips,
                    summary=summary,
                    made_at=utc_now(),
                )
            )
    return manifest.version


def _give_sides(home: Home, sides: dict[str, Side]) -> None:
    with home.catalog.session() as session:
        for group in session.scalars(select(Group).where(Group.side.is_(None))):
            side = sides.get(group.key.removeprefix("import/"))
            if side is not None:
                group.side, group.side_given_at = side, utc_now()


def _stored(home: Home, entries: Sequence[LabelledFile]) -> list[StoredClip]:
    """The clips of the catalog that the files became, in their order, with the truth."""
    with home.catalog.reading() as session:
        known = {clip.sha256: clip for clip in session.scalars(select(Clip))}
        found = []
        for entry in entries:
            clip = known[sha256_of_file(entry.path)]
            side: Side = "validation" if clip.group.side == "validation" else "train"
            found.append(
                StoredClip(clip.id, clip.sha256, clip.store_key, clip.group.key, side, entry.class_paths)
            )
        return found
