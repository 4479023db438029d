"""Annotations: validated, said once, never lost; a correction by the same annotator supersedes."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.detections.made import heard
from tests.labels.made import NOON, make_clip, make_recording
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.errors import InvalidNameError, LabelError, NothingToLabelError
from tidzam_platform.labels.annotations import Outcome, annotate, import_statements
from tidzam_platform.labels.listing import AnnotationQuery, find_annotations
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget, DetectionTarget, RecordingTarget, Target

CROW, WREN, RAIN = Statement("birds-crow"), Statement("birds-wren"), Statement("rain")


def say(catalog: Catalog, target: Target, *statements: Statement, **options: Any) -> Outcome:
    return annotate(catalog, target, statements, **{"annotator": "anna", "tool": "web", **options})


def bring(catalog: Catalog, target: Target, *statements: Statement, **options: Any) -> Outcome:
    return import_statements(
        catalog, [(target, statements)], **{"annotator": "anna", "tool": "label import", **options}
    )


def standing(catalog: Catalog, **given_: Any) -> set[tuple[str, str]]:
    """(class, verdict) of what stands."""
    found = find_annotations(catalog, AnnotationQuery(**given_))
    assert len({(row.class_path, row.start_s, row.low_hz, row.annotator) for row in found}) == len(found)
    return {(row.class_path, row.verdict) for row in found}


def all_rows(catalog: Catalog) -> list[Annotation]:
    with catalog.reading() as session:
        return list(session.scalars(select(Annotation).order_by(Annotation.id)))


def test_a_clip_of_live_audio_keeps_channel_and_time(catalog: Catalog) -> None:
    live = make_clip(catalog, "a", channel="marsh:out_2", start=NOON)
    imported = make_clip(catalog, "b")
    part = Statement("birds-crow", "absent", 0.5, 1.25, 300.0, 900.0)
    say(catalog, ClipTarget(live), part)
    say(catalog, ClipTarget(live), RAIN)
    say(catalog, ClipTarget(imported), CROW)
    first, second, third = all_rows(catalog)
    assert (first.clip_id, first.channel, first.start, first.end) == (
        live, "marsh:out_2", NOON + timedelta(seconds=0.5), NOON + timedelta(seconds=1.25),
    )  # fmt: skip
    assert (first.start_s, first.end_s, first.low_hz, first.high_hz) == (0.5, 1.25, 300.0, 900.0)
    assert (first.verdict, first.annotator, first.tool) == ("absent", "anna", "web")
    assert (second.start, second.end, second.start_s) == (NOON, NOON + timedelta(seconds=2), None)
    assert (third.clip_id, third.channel, third.start, third.end) == (imported, None, None, None)


def test_a_detection_gives_its_channel_and_times(catalog: Catalog) -> None:
    one = heard(3, channel="marsh:out_7")
    say(catalog, DetectionTarget(one), CROW)
    (row,) = all_rows(catalog)
    assert (row.detection_id, row.channel, row.start, row.end) == (one.id, "marsh:out_7", one.start, one.end)
    assert (row.clip_id, row.recording_id, row.start_s) == (None, None, None)
    with pytest.raises(LabelError, match="as a whole"):
        say(catalog, DetectionTarget(one), Statement("birds-crow", "present", 0, 1))


def test_a_recording_has_channels_and_an_end(catalog: Catalog) -> None:
    number = make_recording(catalog)
    say(catalog, RecordingTarget(number, 2), Statement("rain", "present", 10, 60.05))
    (row,) = all_rows(catalog)
    assert (row.recording_id, row.channel, row.end_s) == (number, "marsh:out_2", 60.0)
    assert (row.start, row.end) == (NOON + timedelta(seconds=10), NOON + timedelta(seconds=60))
    for channel in (0, 4):
        with pytest.raises(NothingToLabelError, match="channels 1 to 3"):
            say(catalog, RecordingTarget(number, channel), RAIN)
    for outside in ((10, 60.2), (60, 60.05), (70, 71)):
        with pytest.raises(LabelError, match=r"outside .* 60\.000 s"):
            say(catalog, RecordingTarget(number, 1), Statement("rain", "present", *outside))
    broken = make_recording(catalog, "pond-2026-04-01-12-00-00.opus", error="damaged", seconds=None)
    with pytest.raises(LabelError, match="damaged"):
        say(catalog, RecordingTarget(broken, 1), RAIN)


def test_what_is_not_there_cannot_be_labelled(catalog: Catalog) -> None:
    for target in (ClipTarget(5), RecordingTarget(5, 1)):
        with pytest.raises(NothingToLabelError):
            say(catalog, target, CROW)
    with pytest.raises(NothingToLabelError, match="made no annotation 7"):
        say(catalog, DetectionTarget(heard()), CROW, corrects=7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "maybe"},
        {"start_s": 1.0},
        {"end_s": 1.0},
        {"start_s": 1.0, "end_s": 1.0},
        {"start_s": 2.0, "end_s": 1.0},
        {"start_s": -1.0, "end_s": 1.0},
        {"start_s": 0.0, "end_s": float("inf")},
        {"start_s": float("nan"), "end_s": 1.0},
        {"start_s": 0.0, "end_s": float("nan")},
        {"low_hz": -1.0},
        {"high_hz": float("inf")},
        {"low_hz": float("nan")},
        {"low_hz": 500.0, "high_hz": 500.0},
    ],
)
def test_a_statement_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(LabelError):
        Statement("birds-crow", **wrong)


@pytest.mark.parametrize("name", ["Birds", "", "unknown", "unknown-bird", "no_signal", "a--b"])
def test_a_class_that_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        Statement(name)


@pytest.mark.parametrize("annotator", ["", "  ", "a\nb", "a" * 256, "a\0"])
def test_nobody_is_no_annotator(catalog: Catalog, annotator: str) -> None:
    with pytest.raises(InvalidNameError, match="annotator"):
        say(catalog, DetectionTarget(heard()), CROW, annotator=annotator)


def test_what_is_said_twice_is_written_once(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    first = say(catalog, target, CROW, RAIN, CROW)
    again = say(catalog, target, RAIN, CROW)
    assert [len(first.made), len(first.kept), len(again.made), len(again.kept)] == [2, 0, 0, 2]
    assert {row.id for row in again.kept} == {row.id for row in first.made}
    with pytest.raises(LabelError, match="both present and absent"):
        say(catalog, target, CROW, Statement("birds-crow", "absent"))


def test_a_change_of_mind_supersedes_and_history_stays(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    say(catalog, target, CROW, RAIN)
    say(catalog, target, Statement("birds-crow", "absent"))
    assert standing(catalog) == {("birds-crow", "absent"), ("rain", "present")}
    crow, _, refuted = all_rows(catalog)
    assert (crow.verdict, crow.superseded_by_id) == ("present", refuted.id)


def test_another_annotator_speaks_for_another(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    say(catalog, target, CROW)
    say(catalog, target, Statement("birds-crow", "absent"), annotator="bo", replaces="all")
    assert standing(catalog, annotator="anna") == {("birds-crow", "present")}
    assert standing(catalog, annotator="bo") == {("birds-crow", "absent")}


def test_who_restates_a_stretch_takes_back_what_was_said_of_it(catalog: Catalog) -> None:
    target = ClipTarget(make_clip(catalog))
    part = Statement("frogs", "present", 0, 1)
    say(catalog, target, CROW, RAIN, part)
    say(catalog, target, WREN, RAIN, replaces="stretch")
    assert standing(catalog) == {("birds-wren", "present"), ("rain", "present"), ("frogs", "present")}
    say(catalog, target, RAIN, replaces="all")
    assert standing(catalog) == {("rain", "present"), ("frogs", "unsure")}
    assert say(catalog, target, RAIN, replaces="all").made == []


def test_a_correction_names_what_was_wrong(catalog: Catalog) -> None:
    target, other = DetectionTarget(heard()), DetectionTarget(heard(9))
    (crow,) = say(catalog, target, CROW).made
    (wren,) = say(catalog, target, WREN, corrects=crow.id).made
    assert standing(catalog) == {("birds-wren", "present")}
    assert say(catalog, target, WREN, corrects=crow.id).kept[0].id == wren.id, "twice is once"
    assert len(all_rows(catalog)) == 2
    with pytest.raises(LabelError, match=f"corrected by {wren.id}"):
        say(catalog, target, RAIN, corrects=crow.id)
    for wrong in ({"annotator": "bo"}, {"target": other}):
        with pytest.raises(NothingToLabelError):
            say(catalog, wrong.pop("target", target), RAIN, corrects=wren.id, **wrong)
    with pytest.raises(LabelError, match="one statement"):
        say(catalog, target, RAIN, CROW, corrects=wren.id)
    assert say(catalog, target, WREN, corrects=wren.id).superseded == 0, "nothing to correct"


def test_a_correction_to_what_stands_already_adds_nothing(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    crow, rain = say(catalog, target, CROW, RAIN).made
    assert say(catalog, target, RAIN, corrects=crow.id).made == []
    assert {row.id: row.superseded_by_id for row in all_rows(catalog)} == {crow.id: rain.id, rain.id: None}
    (absent,) = say(catalog, target, Statement("rain", "absent"), corrects=rain.id).made
    assert standing(catalog) == {("rain", "absent")}
    (present,) = say(catalog, target, RAIN, corrects=absent.id).made
    assert standing(catalog) == {("rain", "present")}
    assert present.id not in (rain.id, absent.id)


def test_an_import_leaves_alone_what_was_corrected_by_hand(catalog: Catalog) -> None:
    target = ClipTarget(make_clip(catalog))
    bring(catalog, target, CROW, RAIN)
    say(catalog, target, Statement("birds-crow", "absent"))
    say(catalog, target, Statement("frogs"))
    by_hand = {("birds-crow", "absent"), ("rain", "present"), ("frogs", "present")}
    again = bring(catalog, target, CROW, RAIN)
    assert (again.made, standing(catalog)) == ([], by_hand)
    bring(catalog, target, CROW, replaces="all")
    assert standing(catalog) == (by_hand - {("rain", "present")}) | {("rain", "unsure")}
    say(catalog, target, CROW)
    assert ("birds-crow", "present") in standing(catalog), "the hand may come back to what the file said"


def test_a_correction_to_what_the_file_said_too_is_not_undone_by_reading_it_again(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    crow, rain = bring(catalog, target, CROW, RAIN).made
    corrected = say(catalog, target, RAIN, corrects=crow.id)
    assert (len(corrected.made), corrected.superseded) == (1, 2), "in the person's words"
    for replaces in ("same", "stretch", "all"):
        again = bring(catalog, target, CROW, RAIN, replaces=replaces)
        assert (again.made, again.superseded) == ([], 0)
        assert standing(catalog) == {("rain", "present")}
    assert say(catalog, target, RAIN, corrects=crow.id).made == [], "twice is once"
    assert {row.id: row.superseded_by_id for row in all_rows(catalog)} == {
        crow.id: corrected.made[0].id, rain.id: corrected.made[0].id, corrected.made[0].id: None,
    }  # fmt: skip


def test_a_stretch_that_is_restated_by_hand_stays_so(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    bring(catalog, target, CROW, RAIN)
    say(catalog, target, RAIN, replaces="stretch")
    assert standing(catalog) == {("rain", "present")}
    assert bring(catalog, target, CROW, RAIN).made == []
    assert standing(catalog) == {("rain", "present")}


def test_what_was_confirmed_by_hand_outlives_another_file(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    bring(catalog, target, RAIN)
    assert len(say(catalog, target, RAIN).made) == 1
    bring(catalog, target, WREN, replaces="all")
    assert standing(catalog) == {("rain", "present"), ("birds-wren", "present")}


def test_corrections_in_several_steps_are_not_undone(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    absent, unsure = (Statement("birds-crow", verdict) for verdict in ("absent", "unsure"))
    bring(catalog, target, CROW)
    bring(catalog, target, absent)  # another file
    say(catalog, target, CROW)
    say(catalog, target, unsure)
    for file in (CROW, absent, CROW):
        assert bring(catalog, target, file).made == []
        assert standing(catalog) == {("birds-crow", "unsure")}
    say(catalog, target, absent)
    assert bring(catalog, target, CROW).made == []
    assert standing(catalog) == {("birds-crow", "absent")}


def test_a_file_may_say_again_what_another_file_took_back(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    for file in (CROW, WREN, CROW, WREN):
        assert len(bring(catalog, target, file).made) == 1
        assert standing(catalog) == {(file.class_path, "present")}


def test_two_who_say_the_same_at_once_say_it_once(catalog: Catalog) -> None:
    target = DetectionTarget(heard())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: say(catalog, target, CROW, RAIN), range(8)))
    assert len(all_rows(catalog)) == 2


def test_an_import_of_many_is_looked_at_before_anything_is_written(catalog: Catalog) -> None:
    work = [(DetectionTarget(heard(second)), [CROW]) for second in range(450)]
    bad = [*work, (ClipTarget(99), [CROW])]
    with pytest.raises(NothingToLabelError):
        import_statements(catalog, bad, annotator="anna", tool="label import")
    assert all_rows(catalog) == []
    assert len(import_statements(catalog, work, annotator="anna", tool="label import").made) == 450
    assert len(import_statements(catalog, work, annotator="anna", tool="label import").kept) == 450


STATEMENTS = st.lists(
    st.builds(
        Statement,
        st.sampled_from(["birds", "rain"]),
        st.sampled_from(["present", "absent"]),
        st.just(0.0),
        st.sampled_from([1.0, 2.0]),
    ),
    max_size=4,
    unique_by=lambda one: (one.class_path, one.end_s),
)
STEPS = st.lists(
    st.tuples(
        STATEMENTS, st.sampled_from(["same", "stretch", "all"]), st.sampled_from(["web", "label import"])
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_said_stands_and_nothing_contradicts_itself(catalog: Catalog, steps: list[Any]) -> None:
    target = ClipTarget(make_clip(catalog, secrets.token_hex(8)))
    for statements, replaces, tool in steps:
        step = say if tool == "web" else bring
        step(catalog, target, *statements, replaces=replaces)
        rows = find_annotations(
            catalog, AnnotationQuery(clip_id=target.clip_id, standing_only=False), limit=1000
        )
        stands = {(row.class_path, row.end_s): row.verdict for row in rows if row.superseded_by_id is None}
        assert len(stands) == sum(row.superseded_by_id is None for row in rows)
        if tool == "web":
            assert {(one.class_path, one.end_s): one.verdict for one in statements}.items() <= stands.items()
        by_number = {row.id: row for row in rows}
        for row in rows:  # every chain of corrections ends at something that stands
            last, seen = row, set()
            while last.superseded_by_id is not None:
                assert last.id not in seen
                seen.add(last.id)
                last = by_number[last.superseded_by_id]
        assert step(catalog, target, *statements, replaces=replaces).made == [], "twice is once"
