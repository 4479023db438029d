"""Building a dataset version from the labels as they are now."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform import crash_points
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, DatasetVersion, Group
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.datasets.sides import Side, plan_sides, unsplit_classes
from tidzam_platform.errors import DatasetError
from tidzam_platform.store import ObjectStore


def build_dataset(catalog: Catalog, store: ObjectStore) -> DatasetVersion:
    """Make the version of the labels that stand now. The same labels give the same version, made once.

    Raises:
        DatasetError: there is no labelled clip.
    """
    with catalog.session() as session:  # sides and what they were decided from, in one transaction
        labelled = session.execute(
            select(Annotation, Clip, Group)
            .join(Clip, Annotation.clip_id == Clip.id)
            .join(Group, Clip.group_id == Group.id)
            .where(Annotation.superseded_by_id.is_(None), Annotation.verdict != "unsure")
        ).all()
        if not labelled:
            raise DatasetError("no labelled clips yet: bring some in with ./tidzam dataset import labels.csv")
        labels = [(annotation, clip, group) for annotation, clip, group in labelled]
        classes_of_group = _classes_of_group(labels)
        _give_sides(session, [group for _, _, group in labels], classes_of_group)
        crash_points.reach("dataset.sides")
    crash_points.reach("dataset.sides_committed")
    manifest = Manifest.of(
        ManifestRow(
            clip_sha256=clip.sha256,
            class_path=annotation.class_path,
            verdict=annotation.verdict,
            start_s=annotation.start_s,
            end_s=annotation.end_s,
            group=group.key,
            side=cast(Side, group.side or "train"),
            seconds=clip.seconds,
            store_key=clip.store_key,
        )
        for annotation, clip, group in labels
    )
    key = f"datasets/{manifest.version}/manifest.parquet"
    store.put_bytes(key, manifest.to_parquet())
    crash_points.reach("dataset.stored")
    with catalog.session() as session:
        known = session.get(DatasetVersion, manifest.version)
        if known is not None:
            return known
        made = DatasetVersion(
            version=manifest.version,
            store_key=key,
            clips=manifest.clips,
            summary=summarise(manifest),
            made_at=utc_now(),
        )
        session.add(made)
        crash_points.reach("dataset.recorded")
    return made


def load_manifest(catalog: Catalog, store: ObjectStore, version: str) -> Manifest:
    """The manifest of a version; DatasetError if there is no such version."""
    with catalog.reading() as session:
        row = session.get(DatasetVersion, version)
    if row is None:
        raise DatasetError(f"no dataset version {version!r}: ./tidzam dataset list shows those that exist")
    return Manifest.from_parquet(store.get_bytes(row.store_key), version)


def summarise(manifest: Manifest) -> dict[str, Any]:
    """Counts that a person wants to see: clips by side, clips by class and side, classes that are not split."""
    present = [row for row in manifest.rows if row.verdict == "present"]
    sides = dict(Counter(side for _, side in {(row.clip_sha256, row.side) for row in manifest.rows}))
    classes: dict[str, Counter[str]] = {}
    for row in present:
        classes.setdefault(row.class_path, Counter())[row.side] += 1
    classes_of_group: dict[str, set[str]] = {}
    for row in present:
        classes_of_group.setdefault(row.group, set()).add(row.class_path)
    return {
        "sides": sides,
        "classes": {name: dict(counts) for name, counts in sorted(classes.items())},
        "groups": len({row.group for row in manifest.rows}),
        "not_split": unsplit_classes(
            {group: frozenset(names) for group, names in classes_of_group.items()},
            {row.group: row.side for row in present},
        ),
    }


def _classes_of_group(labels: list[tuple[Annotation, Clip, Group]]) -> dict[str, frozenset[str]]:
    classes: dict[str, set[str]] = {}
    for annotation, _, group in labels:
        found = classes.setdefault(group.key, set())
        if annotation.verdict == "present":
            found.add(annotation.class_path)
    return {key: frozenset(names) for key, names in classes.items()}


def _give_sides(session: Session, groups: list[Group], classes_of_group: dict[str, frozenset[str]]) -> None:
    by_key = {group.key: group for group in groups}
    given = {key: cast(Side, group.side) for key, group in by_key.items() if group.side is not None}
    planned = plan_sides(classes_of_group, given)
    now = utc_now()
    for key, group in by_key.items():
        if group.side is None:
            # a group with refuted labels only belongs to no class: it can only train
            group.side = planned.get(key, "train")
            group.side_given_at = now
    session.flush()
