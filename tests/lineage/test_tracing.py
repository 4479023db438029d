"""From a generation and a class to experts, dataset versions and labels."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.clips.made import say, supersede
from tests.lineage.made import CROW, WREN, Lineages
from tidzam_platform.catalog.tables import Annotation, AuditEntry, DatasetVersion, Generation
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.taxonomy_changes import Wishes, change_taxonomy
from tidzam_platform.errors import QueryError
from tidzam_platform.lineage import Behind, Lineage
from tidzam_platform.retention.clip_rows import forget_clips


def behind(lineage: Lineage) -> Behind:
    assert lineage.behind is not None, lineage.remarks
    return lineage.behind


def say_now(site: Lineages, clip: int, class_path: str, verdict: str = "present", by: str = "bo") -> int:
    number = say(site.catalog, clip, class_path, verdict)
    with site.catalog.session() as session:
        row = session.get_one(Annotation, number)
        row.made_at, row.annotator = utc_now(), by
    return number


def test_experts_of_several_dataset_versions_are_told_each_with_its_own_clips(site: Lineages) -> None:
    first = [site.label(f"crow_{n}", CROW) for n in range(6)]
    old = site.build()
    site.label("wren", WREN)
    site.label("no_crow", CROW, "absent")
    site.label("no_bird", "birds", "absent")
    site.label("no_wren", WREN, "absent")
    new = site.build()
    assert old.version != new.version
    site.generation(selector=new.version, birds=old.version, frogs=new.version)

    found = site.why()
    assert [(step.expert, step.decided, step.dataset_version, step.code_version) for step in found.steps] == [
        ("selector", "birds", new.version, "code of selector"),
        ("birds", CROW, old.version, "code of birds"),
    ]
    selector, birds = (step.counts for step in found.steps)
    assert selector is not None
    assert birds is not None
    assert sum(side["present"] for side in selector.values()) == 7
    assert sum(side["absent"] for side in selector.values()) == 1, "what is no crow may be a bird"
    assert sum(side["present"] for side in birds.values()) == 6
    told = behind(found)
    assert (told.dataset_version, told.class_path) == (old.version, CROW)
    learnt = sum(told.counts[side]["present"] for side in ("train", "validation"))
    assert 0 < learnt < len(first), "one of six groups is on the test side"
    assert {one["clip"] for one in told.examples["present"]} < set(first)
    assert len(told.examples["present"]) == learnt
    assert {one["side"] for one in told.examples["present"]} <= {"train", "validation"}
    assert [(one["annotator"], one["tool"], one["labels"]) for one in told.annotators["present"]] == [
        ("ann", "test", learnt)
    ]
    assert found.remarks == ()

    above = behind(site.why("birds"))
    assert above.dataset_version == new.version
    assert len(above.examples["absent"]) == 1


def test_gate_and_overrides_are_told(site: Lineages) -> None:
    site.label("a", CROW)
    site.generation(3, selector=site.build().version)
    facts = site.why(generation=3).generation
    assert facts is not None
    assert facts.gate == {"passed": False, "reasons": ["too weak"], "incumbent": 4, "override": None}
    assert [(one["by"], one["reason"], one["parts"]) for one in facts.overrides] == [
        ("eve", "known to be good", ["clips"])
    ]


def test_what_was_said_since_is_told_apart(site: Lineages) -> None:
    clips = [site.label(str(n), CROW) for n in range(2)]
    site.generation(selector=site.build().version)
    assert behind(site.why()).corrections == []
    with site.catalog.reading() as session:
        old = session.query(Annotation).filter_by(clip_id=clips[0]).one().id
    better = say_now(site, clips[0], WREN, by="ann")
    supersede(site.catalog, old, better)
    say_now(site, clips[1], CROW, "absent")
    say_now(site, clips[1], CROW, by="carl")  # agrees
    say_now(site, site.label("elsewhere", "rain"), WREN)

    told = behind(site.why())
    assert told.corrected == 2
    beside, superseded = told.corrections
    assert (beside["kind"], beside["clip"], beside["annotator"], beside["verdict"], beside["was"]) == (
        "beside", clips[1], "bo", "absent", None,
    )  # fmt: skip
    assert (superseded["kind"], superseded["clip"], superseded["class_path"], superseded["stands"]) == (
        "superseded", clips[0], WREN, True,
    )  # fmt: skip
    assert (superseded["was"]["class_path"], superseded["was"]["annotator"]) == (CROW, "ann")
    by_clip = {one["clip"]: one for one in told.examples["present"]}
    assert by_clip[clips[0]]["superseded_by"] == better, "it taught the generation all the same"
    assert by_clip[clips[1]]["superseded_by"] is None
    assert [one["annotator"] for one in told.annotators["present"]] == ["ann"]

    again = say_now(site, clips[0], "birds-robin", by="ann")
    supersede(site.catalog, better, again)
    kinds = {(one["class_path"], one["stands"]) for one in behind(site.why()).corrections}
    assert {(WREN, False), ("birds-robin", True)} <= kinds

    # Of a version that is built now, the corrections are the labels.
    site.generation(2, selector=site.build().version)
    assert behind(site.why("birds-robin", generation=2)).corrected == 0
    now = behind(site.why(generation=2))
    assert [one["clip"] for one in now.examples["absent"]] == [clips[1]]


def test_erased_clips_are_told(site: Lineages) -> None:
    clips = [site.label(str(n), CROW) for n in range(2)]
    site.generation(selector=site.build().version)
    with site.catalog.session() as session:
        forget_clips(session, clips[:1])
        session.add(AuditEntry(at=utc_now(), by="dora", action="audio.erase", reason="asked for", details={}))
    found = site.why()
    told = behind(found)
    assert (told.erased, told.counts["train"]["present"], len(told.examples["present"])) == (1, 2, 1)
    assert [(one["by"], one["reason"]) for one in told.erasings] == [("dora", "asked for")]
    assert "1 of the clips" in found.remarks[0]


def test_older_names_of_a_class_are_followed(site: Lineages) -> None:
    clip = site.label("a", "birds-corvus")
    change_taxonomy(
        site.catalog, Wishes({"birds-corvus": CROW}, {}, {}), by="ann", reason="as everybody calls it"
    )
    site.generation(selector=site.build().version)
    told = behind(site.why())
    assert [(one["clip"], one["class_path"]) for one in told.examples["present"]] == [(clip, "birds-corvus")]
    assert told.counts["train"]["present"] == 1


def test_a_generation_that_the_catalog_does_not_know_is_said_in_words(site: Lineages) -> None:
    found = site.why(generation=77)
    assert (found.generation, found.steps, found.behind) == (None, (), None)
    assert "does not know generation 77" in found.remarks[0]
    assert found.as_json()["generation"]["known"] is False


def test_a_class_without_clips_is_said_in_words(site: Lineages) -> None:
    site.label("a", CROW)
    site.generation(selector=site.build().version)
    assert "No clip of 'rain'" in site.why("rain").remarks[0]


def test_a_generation_without_experts_is_traced_by_its_dataset_version(site: Lineages) -> None:
    site.label("a", CROW)
    version = site.build().version
    site.generation(selector=version)
    with site.catalog.session() as session:
        session.get_one(Generation, 1).manifest = {}
    found = site.why()
    assert found.steps == ()
    assert "names no experts" in found.remarks[0]
    assert behind(found).dataset_version == version


@pytest.mark.parametrize("damage", ["gone", "broken", "another", "unknown"])
def test_a_dataset_version_that_cannot_be_read_is_said_in_words(site: Lineages, damage: str) -> None:
    site.label("a", CROW)
    row = site.build()
    site.generation(selector=row.version, birds="f" * 16 if damage == "unknown" else row.version)
    if damage == "gone":
        site.store.delete(row.store_key)
    elif damage == "broken":
        site.store.put_bytes(row.store_key, b"PAR1, no more")
    elif damage == "another":
        site.label("b", CROW)
        site.store.put_bytes(row.store_key, site.store.get_bytes(site.build().store_key))
    found = site.why()
    assert found.behind is None
    assert found.steps[-1].counts is None
    assert len(found.remarks) == 1, "said once, though two experts need it"
    words = {"gone": "not in the store", "broken": "damaged", "another": "holds version", "unknown": "f" * 16}
    assert words[damage] in found.remarks[0]


def test_labels_that_came_after_the_version_are_not_behind_it(site: Lineages) -> None:
    site.label("a", CROW)
    row = site.build()
    site.generation(selector=row.version)
    late = site.label("b", CROW)
    with site.catalog.session() as session:
        kept = session.get_one(DatasetVersion, row.version)
        session.query(Annotation).filter_by(clip_id=late).one().made_at = kept.made_at + timedelta(seconds=1)
    site.build()  # gives its group a side
    told = behind(site.why())
    assert [one["clip"] for one in told.examples["present"]] != []
    assert late not in {one["clip"] for one in told.examples["present"]}


@pytest.mark.parametrize("clips", [-1, 201])
def test_too_many_examples_are_refused(site: Lineages, clips: int) -> None:
    with pytest.raises(QueryError):
        site.why(clips=clips)


def test_no_examples_may_be_asked_for(site: Lineages) -> None:
    site.label("a", CROW)
    site.generation(selector=site.build().version)
    answer: Any = json.loads(json.dumps(site.why(clips=0).as_json()))
    assert answer["behind"]["examples"] == {"present": [], "absent": []}
    assert answer["behind"]["annotators"]["present"][0]["labels"] == 1
