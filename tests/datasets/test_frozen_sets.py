"""Frozen test sets: named by content, growing by version, read by today's names; and datasets by today's names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, Group, Recording, Source, TestSet
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import add_rule, list_rules
from tidzam_platform.datasets.build import build_dataset, load_manifest
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.datasets.taxonomy_changes import Wishes, change_taxonomy, read_taxonomy
from tidzam_platform.datasets.test_rows import clip_manifest, settled
from tidzam_platform.datasets.test_sets import freeze_test_sets, load_test_set, newest_test_sets
from tidzam_platform.errors import DatasetError, TaxonomyError
from tidzam_platform.store import LocalStore

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def add_clip(session: Session, name: str, side: str | None, *said: str, absent: tuple[str, ...] = ()) -> None:
    group = Group(key=f"group/{name}", side=side, side_given_at=NOW)
    clip = Clip(
        sha256=name.ljust(64, "0"), store_key=f"clips/{name}", codec="flac", rate_hz=48000, channels=1,
        seconds=2.0, group=group, added_at=NOW,
    )  # fmt: skip
    session.add(clip)
    session.flush()
    for verdict, paths in (("present", said), ("absent", absent)):
        for path in paths:
            session.add(label(path, verdict, clip_id=clip.id))


def label(path: str, verdict: str = "present", **columns: object) -> Annotation:
    return Annotation(class_path=path, verdict=verdict, annotator="ann", tool="test", made_at=NOW, **columns)


def add_recording(session: Session) -> None:
    source = Source(name="marsh")
    recording = Recording(
        source=source, path="/archive/marsh.opus", size_bytes=1, mtime_ns=1, sha256="r" * 64, start=NOW,
        seconds=60.0, channels=2,
    )  # fmt: skip
    session.add(recording)
    session.flush()
    for path, channel, start_s, end_s in (
        ("frogs", 1, 3.0, 4.0),
        ("noise", 1, 10.0, 20.0),
        ("noise", 2, None, None),
    ):
        session.add(
            label(
                path, recording_id=recording.id, channel=f"marsh:out_{channel}", start_s=start_s, end_s=end_s
            )
        )


def test_each_kind_holds_what_it_says_and_the_same_labels_are_the_same_set(
    catalog: Catalog, store: LocalStore
) -> None:
    assert freeze_test_sets(catalog, store) == {}
    with catalog.session() as session:
        add_clip(session, "a", "test", "frogs")
        add_clip(session, "b", "test", "noise", absent=("frogs",))
        add_clip(session, "c", "train", "frogs")
        add_clip(session, "d", "validation", "noise")
        add_clip(session, "e", None, "frogs")
        add_recording(session)
    made = freeze_test_sets(catalog, store)
    assert {kind: one.items for kind, one in made.items()} == {"clips": 2, "recordings": 2, "noise": 3}
    rows = load_test_set(store, made["clips"])
    assert {(row.sha256[0], row.class_path, row.verdict) for row in rows} == {
        ("a", "frogs", "present"),
        ("b", "noise", "present"),
        ("b", "frogs", "absent"),
    }
    noise = {
        (row.item.partition(":")[0], row.channel, row.start_s) for row in load_test_set(store, made["noise"])
    }
    assert noise == {("clip", 0, None), ("recording", 1, 10.0), ("recording", 2, None)}
    again = freeze_test_sets(catalog, store)
    assert {kind: (one.version, one.made_at) for kind, one in again.items()} == {
        kind: (one.version, one.made_at) for kind, one in made.items()
    }


def test_growth_is_a_new_version_and_the_old_one_stays_what_it_was(
    catalog: Catalog, store: LocalStore
) -> None:
    with catalog.session() as session:
        add_clip(session, "a", "test", "frogs")
    first = freeze_test_sets(catalog, store)["clips"]
    with catalog.session() as session:
        add_clip(session, "b", "test", "rain")
    second = freeze_test_sets(catalog, store)["clips"]
    assert second.version != first.version == newest_before(catalog, second.version)
    assert newest_test_sets(catalog)["clips"].version == second.version
    assert {row.class_path for row in load_test_set(store, first)} == {"frogs"}
    store.put_bytes(first.store_key, store.get_bytes(second.store_key))
    with pytest.raises(DatasetError, match="damaged"):
        load_test_set(store, first)


def newest_before(catalog: Catalog, version: str) -> str:
    with catalog.reading() as session:
        (other,) = session.query(TestSet).where(TestSet.version != version, TestSet.kind == "clips")
    return str(other.version)


def test_sets_and_datasets_are_read_by_todays_names_and_labels_stay_as_they_are(
    catalog: Catalog, store: LocalStore
) -> None:
    with catalog.session() as session:
        add_clip(session, "a", "test", "crow")
        add_clip(session, "b", "train", "crow", "crow-young")
        add_clip(session, "c", "train", "cat", absent=("kitten",))
        add_clip(session, "d", "train", "rain", absent=("cat", "kitten"))
        add_clip(session, "e", "test", "kitten")
    frozen = freeze_test_sets(catalog, store)["clips"]
    before = build_dataset(catalog, store).version
    add_rule(catalog, RecorderRuleSpec(classes=("kitten",), forbid=True), "ann")
    change_taxonomy(
        catalog, Wishes({"crow": "birds-crow"}, {"animal-cat": ("cat", "kitten")}, {}), by="ann", reason="x"
    )
    taxonomy = read_taxonomy(catalog)
    assert freeze_test_sets(catalog, store)["clips"].version == frozen.version, "labels did not change"
    rows = load_test_set(store, frozen)
    assert {row.class_path for row in clip_manifest(rows, taxonomy).rows} == {"birds-crow", "animal-cat"}
    made = build_dataset(catalog, store)
    assert made.version != before
    assert made.summary["taxonomy"] == 1
    said = {
        (row.clip_sha256[0], row.class_path, row.verdict)
        for row in load_manifest(catalog, store, made.version).rows
    }
    assert said == {
        ("a", "birds-crow", "present"),
        ("b", "birds-crow", "present"),
        ("b", "birds-crow-young", "present"),
        ("c", "animal-cat", "present"),
        ("d", "rain", "present"),
        ("d", "animal-cat", "absent"),
        ("e", "animal-cat", "present"),
    }
    with catalog.reading() as session:
        assert {row.class_path for row in session.query(Annotation)} == {
            "crow",
            "crow-young",
            "cat",
            "kitten",
            "rain",
        }
    (rule,) = list_rules(catalog)
    assert rule.spec.names_class("animal-cat")
    assert rule.spec.names_class("cat"), "the generation that serves may still say so"
    assert rule.as_dict()["classes"] == ["kitten"]
    assert rule.as_dict()["also"] == ["animal-cat", "cat"]
    with pytest.raises(TaxonomyError, match="no class 'crow' is known"):
        change_taxonomy(catalog, Wishes({"crow": "birds-rook"}, {}, {}), by="ann", reason="again")
    assert read_taxonomy(catalog, 0) == Taxonomy()
    with pytest.raises(TaxonomyError, match="no version 2"):
        read_taxonomy(catalog, 2)


def test_clips_of_a_split_class_are_tested_once_somebody_says_which_part(
    catalog: Catalog, store: LocalStore
) -> None:
    with catalog.session() as session:
        add_clip(session, "a", "test", "frogs")
        add_clip(session, "b", "test", "frogs", "frogs-tree")
        add_clip(session, "c", "train", "frogs-pool")
        add_clip(session, "d", "train", "frogs")
    change_taxonomy(catalog, Wishes({}, {}, {"frogs": ()}), by="ann", reason="two species")
    rows = load_test_set(store, freeze_test_sets(catalog, store)["clips"])
    assert settled(rows, read_taxonomy(catalog)) == {f"clip:{'b'.ljust(64, '0')}": ("frogs-tree",)}
    made = load_manifest(catalog, store, build_dataset(catalog, store).version)
    assert {(row.clip_sha256[0], row.class_path) for row in made.rows} == {
        ("a", "frogs"),
        ("b", "frogs-tree"),
        ("c", "frogs-pool"),
        ("d", "frogs"),
    }


def test_what_is_noise_is_said_by_todays_names(catalog: Catalog, store: LocalStore) -> None:
    with catalog.session() as session:
        add_clip(session, "a", "test", "noise-wind")
        add_clip(session, "b", "test", "hum")
        add_clip(session, "c", "test", "hum", "frogs")
    before = freeze_test_sets(catalog, store)
    assert {row.class_path for row in load_test_set(store, before["noise"])} == {"noise-wind"}
    change_taxonomy(catalog, Wishes({"noise-wind": "wind", "hum": "noise-hum"}, {}, {}), by="ann", reason="x")
    after = freeze_test_sets(catalog, store)
    (row,) = load_test_set(store, after["noise"])
    assert (row.sha256[0], row.class_path) == ("b", "hum"), "the label keeps its name"
    assert after["clips"].version == before["clips"].version


def test_labels_that_became_the_same_statement_stand_once(catalog: Catalog, store: LocalStore) -> None:
    with catalog.session() as session:
        add_clip(session, "a", "train", "cat", "kitten")
        add_clip(session, "b", "train", "kitten")
        add_clip(session, "c", "train", "kitten", "cat", absent=("rain",))
    change_taxonomy(catalog, Wishes({}, {"cat": ("cat", "kitten")}, {}), by="ann", reason="nobody hears it")
    made = load_manifest(catalog, store, build_dataset(catalog, store).version)
    assert [(row.clip_sha256[0], row.class_path, row.verdict) for row in made.rows] == [
        ("a", "cat", "present"),
        ("b", "cat", "present"),
        ("c", "cat", "present"),
        ("c", "rain", "absent"),
    ]


def test_without_a_reason_or_a_name_nothing_changes(catalog: Catalog) -> None:
    with pytest.raises(TaxonomyError, match="say why"):
        change_taxonomy(catalog, Wishes({"a": "b"}, {}, {}), by="ann", reason=" ")
    assert read_taxonomy(catalog).version == 0
