"""Building a dataset version from the labels as they are now."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform import crash_points
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, DatasetVersion, Group
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.datasets.near_copies import Copies, groups_of_copies
from tidzam_platform.datasets.sides import Side, plan_sides, unsplit_classes
from tidzam_platform.datasets.taxonomy_changes import taxonomy_of
from tidzam_platform.datasets.todays_labels import Label, todays_labels
from tidzam_platform.errors import DatasetError
from tidzam_platform.store import ObjectStore

ERASED_CLIPS: Final = "erased_clips"  # in the summary: SHA-256 of those that are gone
_LOG = logging.getLogger(__name__)


def build_dataset(catalog: Catalog, store: ObjectStore) -> DatasetVersion:
    """Make the version of the labels that stand now, by today's classes. The same labels give the same version.

    A group that holds a copy of a test clip goes to the test side, see ``datasets.near_copies``; a group without a side
    to which clips come while copies are looked for is left to the next version.

    Raises:
        DatasetError: there is no labelled clip.
    """
    copies = groups_of_copies(catalog, store)
    with catalog.session() as session:  # sides and what they were decided from, in one transaction
        labelled = session.execute(
            select(Annotation, Clip, Group)
            .join(Clip, Annotation.clip_id == Clip.id)
            .join(Group, Clip.group_id == Group.id)
            .where(Annotation.superseded_by_id.is_(None), Annotation.verdict != "unsure")
        ).all()
        read_at = utc_now()
        late = _groups_that_grew([(clip, group) for _, clip, group in labelled], copies)
        labelled = [row for row in labelled if row[2].key not in late]
        if not labelled:
            raise DatasetError("no labelled clips yet: bring some in with ./tidzam dataset import labels.csv")
        taxonomy = taxonomy_of(session)
        labels = todays_labels([Label(*row) for row in labelled], taxonomy)
        if not labels:
            raise DatasetError(
                "all labels are of classes that were split: say which part each is, see ./tidzam taxonomy list"
            )
        classes_of_group = _classes_of_group(labels)
        _give_sides(session, [group for _, _, group in labelled], classes_of_group, copies.groups)
        crash_points.reach("dataset.sides")
    crash_points.reach("dataset.sides_committed")
    manifest = Manifest.of(
        ManifestRow(
            clip_sha256=label.clip.sha256,
            class_path=class_path,
            verdict=verdict,
            start_s=label.annotation.start_s,
            end_s=label.annotation.end_s,
            group=label.group.key,
            side=cast(Side, label.group.side or "train"),
            seconds=label.clip.seconds,
            store_key=label.clip.store_key,
        )
        for label, class_path, verdict in labels
    )
    key = f"datasets/{manifest.version}/manifest.parquet"
    store.put_once(key, manifest.to_parquet())  # what stands there has the content that its name says
    crash_points.reach("dataset.stored")
    with catalog.session() as session:
        known = session.get(DatasetVersion, manifest.version)
        if known is not None:
            return known
        made = DatasetVersion(
            version=manifest.version,
            store_key=key,
            clips=manifest.clips,
            summary={**summarise(manifest), "taxonomy": taxonomy.version},
            made_at=read_at,
        )
        session.add(made)
        crash_points.reach("dataset.recorded")
    return made


def load_manifest(catalog: Catalog, store: ObjectStore, version: str) -> Manifest:
    """The manifest of a version; DatasetError if there is none. Clips that were erased are told in the log."""
    with catalog.reading() as session:
        row = session.get(DatasetVersion, version)
    if row is None:
        raise DatasetError(f"no dataset version {version!r}: ./tidzam dataset list shows those that exist")
    if erased := row.summary.get(ERASED_CLIPS):
        _LOG.warning(
            "%d of the %d clips of dataset version %s were erased (./tidzam erase): build a new one to train on",
            len(erased),
            row.clips,
            version,
        )
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


def _groups_that_grew(clips: list[tuple[Clip, Group]], copies: Copies) -> set[str]:
    """Groups without a side that hold a clip which nobody compared with those of the test side."""
    late = {group.key for clip, group in clips if group.side is None and clip.id not in copies.looked_at}
    if late:
        _LOG.info("%d group(s) came in just now and wait for the next dataset version", len(late))
    return late


def _classes_of_group(labels: list[tuple[Label, str, str]]) -> dict[str, frozenset[str]]:
    classes: dict[str, set[str]] = {}
    for label, class_path, verdict in labels:
        found = classes.setdefault(label.group.key, set())
        if verdict == "present":
            found.add(class_path)
    return {key: frozenset(names) for key, names in classes.items()}


def _give_sides(
    session: Session,
    groups: list[Group],
    classes_of_group: dict[str, frozenset[str]],
    copies: dict[str, str],
) -> None:
    by_key = {group.key: group for group in groups}
    given = {key: cast(Side, group.side) for key, group in by_key.items() if group.side is not None}
    follows: dict[str, Side] = {key: "test" for key in copies if key in by_key and key not in given}
    planned = plan_sides(classes_of_group, {**given, **follows})
    now = utc_now()
    for key, group in by_key.items():
        if group.side is None:
            # a group with refuted labels only belongs to no class: it can only train
            group.side = follows.get(key) or planned.get(key, "train")
            group.side_given_at = now
    session.flush()
