"""Frozen test sets: what generations are judged on. Each is immutable; they grow by version, and the newest counts.

::

    clips        all clips whose group has the side test and that have a standing label
    recordings   channels of recordings on which people marked what they heard
    noise        of both, what is known to hold nothing but noise

A group's side is kept for ever (``datasets.sides``), so a clip that was once in a set never returns to training; a
copy of one that is imported in another group follows it (``datasets.near_copies``). Labels stand in a set by the
names that they had; readers take today's (``datasets.taxonomy``), and today's say what is noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform import crash_points
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, Group, Recording, TestSet
from tidzam_platform.classifiers.evaluation.false_alarms import is_background
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.datasets.taxonomy_changes import taxonomy_of
from tidzam_platform.datasets.test_rows import (
    KINDS,
    Kind,
    TestRow,
    canonical,
    from_parquet,
    to_parquet,
    version_of,
)
from tidzam_platform.errors import DatasetError
from tidzam_platform.names import split_channel
from tidzam_platform.store import ObjectStore

_SAID: Final = ("present", "absent")


def freeze_test_sets(catalog: Catalog, store: ObjectStore) -> dict[Kind, TestSet]:
    """Make the sets of what is labelled now; the same labels give the same versions, made once.

    A kind of which nothing is labelled has no set, or the one that it had before.
    """
    with catalog.reading() as session:
        clips, recordings = _clip_rows(session), _recording_rows(session)
        taxonomy = taxonomy_of(session)
    rows: dict[Kind, Iterable[TestRow]] = {
        "clips": clips,
        "recordings": recordings,
        "noise": [*_noise_only(clips, taxonomy), *_noise_only(recordings, taxonomy)],
    }
    for kind in KINDS:
        if ordered := canonical(rows[kind]):
            _freeze(catalog, store, kind, ordered)
    return newest_test_sets(catalog)


def newest_test_sets(catalog: Catalog) -> dict[Kind, TestSet]:
    """The newest set of each kind that has one."""
    with catalog.reading() as session:
        rows = session.scalars(select(TestSet).order_by(TestSet.made_at, TestSet.version)).all()
    newest = {row.kind: row for row in rows}
    return {kind: newest[kind] for kind in KINDS if kind in newest}


def load_test_set(store: ObjectStore, test_set: TestSet) -> tuple[TestRow, ...]:
    """The rows of a set; DatasetError if it is damaged."""
    kind = next((kind for kind in KINDS if kind == test_set.kind), None)
    if kind is None:
        raise DatasetError(
            f"the test set {test_set.version} is of the kind {test_set.kind!r}, which is not known"
        )
    return from_parquet(kind, store.get_bytes(test_set.store_key), test_set.version)


def _freeze(catalog: Catalog, store: ObjectStore, kind: Kind, rows: Sequence[TestRow]) -> None:
    version = version_of(kind, rows)
    key = f"test_sets/{kind}/{version}.parquet"
    if not store.exists(key):
        store.put_bytes(key, to_parquet(kind, rows))
    crash_points.reach("test_set.stored")
    with catalog.session() as session:
        known = session.get(TestSet, version)
        newest = session.scalar(
            select(TestSet.version)
            .where(TestSet.kind == kind)
            .order_by(TestSet.made_at.desc(), TestSet.version.desc())
            .limit(1)
        )
        if known is None:
            items = len({row.item for row in rows})
            session.add(
                TestSet(
                    version=version,
                    kind=kind,
                    store_key=key,
                    items=items,
                    summary=_summary(rows),
                    made_at=utc_now(),
                )
            )
        elif newest != version:
            known.made_at = utc_now()  # labels went back to what they were: it is the newest again


def _summary(rows: Sequence[TestRow]) -> dict[str, Any]:
    present = {(row.item, row.class_path) for row in rows if row.verdict == "present"}
    lengths = {row.item: row.seconds for row in rows}
    return {
        "classes": dict(sorted(Counter(name for _, name in present).items())),
        "groups": len({row.group for row in rows}),
        "seconds": round(sum(lengths.values()), 3),
    }


def _clip_rows(session: Session) -> list[TestRow]:
    found = session.execute(
        select(Annotation, Clip, Group)
        .join(Clip, Annotation.clip_id == Clip.id)
        .join(Group, Clip.group_id == Group.id)
        .where(Group.side == "test", Annotation.superseded_by_id.is_(None), Annotation.verdict.in_(_SAID))
    )
    return [
        TestRow(
            clip.sha256, 0, said.class_path, said.verdict, said.start_s, said.end_s,
            group.key, clip.seconds, clip.store_key,
        )
        for said, clip, group in found
    ]  # fmt: skip


def _recording_rows(session: Session) -> list[TestRow]:
    found = session.execute(
        select(Annotation, Recording)
        .join(Recording, Annotation.recording_id == Recording.id)
        .where(
            Annotation.superseded_by_id.is_(None),
            Annotation.verdict.in_(_SAID),
            Annotation.channel.is_not(None),
            Recording.error.is_(None),
            Recording.sha256.is_not(None),
            Recording.seconds.is_not(None),
        )
    )
    return [
        TestRow(
            recording.sha256 or "", split_channel(said.channel or "")[1], said.class_path, said.verdict,
            said.start_s, said.end_s, f"recording:{recording.sha256}", recording.seconds or 0.0, recording.path,
        )
        for said, recording in found
    ]  # fmt: skip


def _noise_only(rows: Sequence[TestRow], taxonomy: Taxonomy) -> list[TestRow]:
    """Labels that say that nothing sounds, of items in whose labelled stretch nothing else is said to sound."""
    quiet: list[TestRow] = []
    sounding = set()
    for row in rows:
        if row.verdict != "present":
            continue
        if all(map(is_background, taxonomy.targets(row.class_path))):
            quiet.append(row)
        else:
            sounding.add(row.item)
    # A stretch of a recording that people marked as noise counts, whatever sounds beside it; a clip counts whole.
    return [row for row in quiet if row.item not in sounding or (row.channel and row.start_s is not None)]
