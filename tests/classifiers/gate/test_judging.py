"""What passes the gate and what does not: the rules of docs/gate.md on made evidence."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.gate.made import CLASSES, hears, made_clips
from tidzam_platform.classifiers.evaluation.events import TimedLabel
from tidzam_platform.classifiers.gate import (
    PARTS,
    ClipAnswer,
    Evidence,
    Finding,
    ShadowEvidence,
    System,
    TestChannel,
    TestClip,
    Verdict,
    judge,
)
from tidzam_platform.classifiers.gate.clips import reached_by_chance
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.settings import GateSettings

SETTINGS = GateSettings()
FEW, MANY = made_clips(3), made_clips(60)


def test_a_good_first_generation_passes_and_the_words_say_that_it_is_the_first() -> None:
    verdict = judge(Evidence(hears(FEW, 0.9), clips=FEW), SETTINGS)
    assert verdict.passed, verdict.reasons
    assert tuple(one.name for one in verdict.findings) == tuple(PARTS)
    assert "first generation" in verdict.finding("clips").words
    assert verdict.reasons == ()


def test_a_weak_one_is_refused_with_the_figure_and_the_bound() -> None:
    verdict = judge(Evidence(hears(MANY, 0.2), clips=MANY), SETTINGS)
    assert "clips" in verdict.failed
    assert "is below 0.300" in verdict.reasons[0]


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_answers_that_have_nothing_to_do_with_the_labels_never_pass_as_the_first(seed: int) -> None:
    guessing = hears(MANY, 0.0, seed=seed)
    assert "clips" in judge(Evidence(guessing, clips=MANY), SETTINGS).failed


@pytest.mark.parametrize("clips", [FEW, MANY], ids=["few", "many"])
def test_guessing_passes_by_chance_about_as_rarely_as_it_should(clips: tuple[TestClip, ...]) -> None:
    lenient = SETTINGS.model_copy(update={"min_macro_f1": 0.0})
    findings = [
        PARTS["clips"](Evidence(hears(clips, 1 / len(CLASSES), seed=seed), clips=clips), lenient)
        for seed in range(60 if clips is FEW else 10)
    ]
    assert sum(one.passed for one in findings) <= len(findings) / 5
    for one in findings:
        assert one.passed == (one.figures["by_chance"] <= 0.05)
        assert one.passed or "no better than chance" in one.words


def test_with_hundreds_of_classes_chance_is_told_in_little_memory() -> None:
    classes = tuple(f"c{number}" for number in range(60))
    clips = made_clips(10, 1, classes)
    heard = hears(clips, 0.9, leaves=classes)
    reached_by_chance(Evidence(hears(FEW, 0.9), clips=FEW), 0.5)  # imports what it needs
    tracemalloc.start()
    try:
        assert reached_by_chance(Evidence(heard, clips=clips), 0.5) == pytest.approx(1 / 501)
        assert tracemalloc.get_traced_memory()[1] < 17e6, "one count of all would be 17 MB"
    finally:
        tracemalloc.stop()


@given(st.integers(0, 1000), st.sampled_from([FEW, MANY]))
@settings(max_examples=10)
def test_the_same_generation_again_is_never_refused_beside_itself(
    seed: int, clips: tuple[object, ...]
) -> None:
    before = hears(clips, 0.8, seed=seed)  # type: ignore[arg-type]
    evidence = Evidence(replace(before, generation=2), before, clips=clips)  # type: ignore[arg-type]
    verdict = judge(evidence, SETTINGS)
    assert verdict.passed, verdict.reasons
    assert verdict.finding("clips").figures["worse"] == 0


def test_with_many_groups_a_bound_decides_and_with_few_the_figure_itself() -> None:
    for clips, has_power in ((made_clips(1000, 1), True), (FEW, False)):
        before = hears(clips, 0.95, seed=1)
        evidence = Evidence(replace(before, generation=2), before, clips=clips)
        compared = PARTS["clips"](evidence, SETTINGS).figures["compared"]["1"]
        assert compared["has_power"], "no difference at all is known exactly"
        other = Evidence(hears(clips, 0.95, number=2, seed=2), before, clips=clips)
        finding = PARTS["clips"](other, SETTINGS)
        assert finding.figures["compared"]["1"]["has_power"] == has_power
        if not has_power:
            assert "groups are too few" in finding.words


def test_a_worse_one_is_refused_and_the_clips_that_got_worse_are_listed() -> None:
    evidence = Evidence(hears(MANY, 0.7, number=2, seed=2), hears(MANY, 0.95, seed=1), clips=MANY)
    verdict = judge(evidence, SETTINGS)
    assert "clips" in verdict.failed
    assert "of the generation in service, 1" in verdict.reasons[0]
    figures = verdict.finding("clips").figures
    listed = {one["clip"] for one in figures["worse_clips"]}
    assert listed
    assert figures["worse"] >= len(listed) == 200
    for one in figures["worse_clips"]:
        assert one["was"] == one["truth"] != one["is"]
        assert one["store_key"].startswith("clips/")


def test_a_slow_slide_ends_at_the_best_ever_promoted() -> None:
    clips = made_clips(100, 1)
    wrong = sorted(clip.sha256 for clip in clips)
    best = hears(clips, 1.0)

    def slid(number: int) -> object:
        spoilt = {
            name: ClipAnswer((other := "rain" if not name.startswith("rain") else "frogs",), other, 0.5)
            for name in wrong[:: 200 // number]
        }
        return replace(best, generation=number, clips={**best.clips, **spoilt})

    incumbent, candidate = slid(3), slid(4)
    step = SETTINGS.model_copy(update={"margin": 0.012})
    alone = PARTS["clips"](Evidence(candidate, incumbent, clips=clips), step)  # type: ignore[arg-type]
    assert alone.passed, alone.words
    beside = PARTS["clips"](Evidence(candidate, incumbent, best, clips=clips), step)  # type: ignore[arg-type]
    assert not beside.passed
    assert "the best generation ever promoted, 1" in beside.words


def test_one_class_that_falls_is_named_though_the_mean_holds() -> None:
    before = hears(MANY, 0.7, seed=1)
    now = hears(MANY, 1.0, number=2, deaf_to=("frogs",))
    verdict = judge(Evidence(now, before, clips=MANY), SETTINGS)
    assert verdict.finding("clips").passed, verdict.finding("clips").words
    assert verdict.failed == ("classes",)
    assert verdict.reasons[0].startswith("frogs fell from F1")


def test_a_class_with_few_clips_is_judged_with_its_siblings_and_shown() -> None:
    clips = (*made_clips(20, 1, ("birds-crow", "birds-robin")), *made_clips(40, 1, ("frogs",)))
    before = hears(clips, 1.0)
    now = hears(clips, 1.0, number=2, deaf_to=("birds-crow",))
    finding = PARTS["classes"](Evidence(now, before, clips=clips), SETTINGS)
    assert not finding.passed
    shown = {one["class"]: one for one in finding.figures["classes"]}
    assert shown["birds-crow"]["judged_with"] == "birds-*"
    assert shown["frogs"]["judged_with"] == "frogs"
    assert shown["birds-crow"]["clips"] == 20
    assert "with its siblings" in finding.words
    few = Evidence(hears(FEW, 0.2, number=2), hears(FEW, 1.0), clips=FEW)
    lenient = PARTS["classes"](few, SETTINGS.model_copy(update={"min_class_clips": 1000}))
    assert lenient.passed
    assert "too few test clips" in lenient.words


def test_new_classes_are_told_and_lost_ones_are_refused() -> None:
    clips = made_clips(20)
    smaller = tuple(path for path in CLASSES if path != "rain")
    grown = judge(
        Evidence(hears(clips, 1.0, number=2), hears(clips, 1.0, leaves=smaller), clips=clips), SETTINGS
    )
    assert grown.passed, grown.reasons
    assert (
        "new classes, which the generation in service does not know: rain" in grown.finding("classes").words
    )
    shrunk = Evidence(hears(clips, 1.0, number=2, leaves=smaller), hears(clips, 1.0), clips=clips)
    assert "no longer knows rain" in PARTS["classes"](shrunk, SETTINGS).words
    renamed = replace(shrunk, taxonomy=Taxonomy(1, {"rain": ("frogs",)}))
    clips_today = tuple(
        replace(clip, class_paths=tuple("frogs" if path == "rain" else path for path in clip.class_paths))
        for clip in clips
    )
    merged = replace(renamed, clips=clips_today, candidate=hears(clips_today, 1.0, number=2, leaves=smaller))
    verdict = judge(merged, SETTINGS)
    assert verdict.passed, verdict.reasons


def test_where_one_knows_only_the_class_above_both_are_compared_by_that() -> None:
    clips = made_clips(20)
    coarse = ("birds", "frogs", "insects", "rain")
    old = hears(
        tuple(replace(clip, class_paths=(clip.class_paths[0].partition("-")[0],)) for clip in clips),
        1.0,
        leaves=coarse,
    )
    verdict = judge(Evidence(hears(clips, 1.0, number=2), old, clips=clips), SETTINGS)
    assert verdict.passed, verdict.reasons
    assert verdict.finding("clips").figures["compared"]["1"]["clips"] == len(clips)


@given(st.integers(0, 400), st.integers(0, 400))
def test_false_alarms_that_rise_are_refused_and_fewer_never(ours: int, theirs: int) -> None:
    noise = (TestChannel("clip:a", "a", 3600.0),)

    def alarms(number: int, count: int) -> object:
        events = tuple(TimedLabel(at, at + 1.0, "frogs") for at in range(count))
        return replace(hears(FEW, 1.0, number=number), noise={"clip:a": events})

    evidence = Evidence(alarms(2, ours), alarms(1, theirs), clips=FEW, noise=noise)  # type: ignore[arg-type]
    finding = PARTS["false_alarms"](evidence, SETTINGS)
    assert finding.figures["count"] == ours
    if ours <= theirs:
        assert finding.passed
    if ours > 2 * theirs + 10:
        assert not finding.passed
        assert "they rose, most of all frogs" in finding.words
    most = SETTINGS.model_copy(update={"max_false_alarms_per_hour": 1.0})
    assert PARTS["false_alarms"](replace(evidence, incumbent=None), most).passed == (ours < 4)


def test_alarms_of_background_and_outside_the_known_noise_count_for_nothing() -> None:
    heard = (TimedLabel(1, 2, "noise"), TimedLabel(50, 51, "frogs"), TimedLabel(5, 6, "rain"))
    system = replace(hears(FEW, 1.0), noise={"recording:a:1": heard})
    noise = (TestChannel("recording:a:1", "a", 60.0, ignored=((10.0, 60.0),)),)
    finding = PARTS["false_alarms"](Evidence(system, clips=FEW, noise=noise), SETTINGS)
    assert (finding.figures["count"], finding.figures["by_class"]) == (1, {"rain": 1})
    assert finding.figures["hours"] == pytest.approx(10 / 3600)


def test_what_became_noise_since_is_no_alarm_and_what_rose_is_told_by_todays_name() -> None:
    noise = (TestChannel("clip:a", "a", 3600.0),)

    def hearing(number: int, path: str, count: int) -> System:
        events = tuple(TimedLabel(at, at + 1.0, path) for at in range(count))
        return replace(hears(FEW, 1.0, number=number), noise={"clip:a": events})

    renamed = Taxonomy(1, {"wind": ("noise-wind",), "toad": ("frogs",)})
    evidence = Evidence(hearing(2, "noise-wind", 90), hearing(1, "wind", 90), noise=noise, taxonomy=renamed)
    finding = PARTS["false_alarms"](evidence, SETTINGS)
    assert (finding.figures["count"], finding.figures["compared"]["1"]["count"]) == (0, 0)
    risen = replace(evidence, candidate=hearing(2, "frogs", 90), incumbent=hearing(1, "toad", 9))
    assert PARTS["false_alarms"](risen, SETTINGS).figures["by_class"] == {"frogs": 90}


def test_recordings_are_compared_on_what_was_labelled_there() -> None:
    labels = tuple(TimedLabel(at, at + 1.0, "frogs") for at in range(0, 60, 4))
    channels = tuple(TestChannel(f"recording:{i}:1", f"{i}", 60.0, labels) for i in range(4))
    good = replace(hears(FEW, 1.0), recordings={one.item: labels for one in channels})
    deaf = replace(hears(FEW, 1.0, number=2), recordings={})
    evidence = Evidence(deaf, good, clips=FEW, recordings=channels)
    finding = PARTS["recordings"](evidence, SETTINGS)
    assert not finding.passed
    assert "0.000" in finding.words
    back = PARTS["recordings"](replace(evidence, candidate=good, incumbent=deaf), SETTINGS)
    assert back.passed
    assert back.figures["segment_macro_f1"] == 1
    assert "no recording" in PARTS["recordings"](Evidence(good, clips=FEW), SETTINGS).words


def test_disagreement_in_the_shadow_is_told_and_an_absurd_candidate_refused() -> None:
    counts = {"frogs": 700, "rain": 300}
    shadow = ShadowEvidence("live", 1000, 0, 400, 0, counts, {"frogs": 600, "rain": 400})
    evidence = Evidence(hears(FEW, 1.0, number=2), hears(FEW, 1.0), clips=FEW, shadow=shadow)
    told = PARTS["shadow"](evidence, SETTINGS)
    assert told.passed
    assert "60.0% are decided otherwise" in told.words
    strict = PARTS["shadow"](evidence, SETTINGS.model_copy(update={"max_disagreement": 0.5}))
    assert not strict.passed
    stuck = replace(evidence, shadow=replace(shadow, candidate={"rain": 990, "frogs": 10}))
    assert "99% of 1000 recent windows for rain" in PARTS["shadow"](stuck, SETTINGS).words
    same_by_another_name = replace(
        stuck,
        incumbent=hears(FEW, 1.0, leaves=(*CLASSES[:-1], "downpour")),
        shadow=replace(shadow, stable={"downpour": 980, "frogs": 20}, candidate={"rain": 990, "frogs": 10}),
        taxonomy=Taxonomy(1, {"downpour": ("rain",)}),
    )
    assert PARTS["shadow"](same_by_another_name, SETTINGS).passed
    assert not PARTS["shadow"](replace(same_by_another_name, taxonomy=Taxonomy()), SETTINGS).passed
    broken = replace(evidence, shadow=replace(shadow, unusable=50))
    assert not PARTS["shadow"](broken, SETTINGS).passed


def test_calibration_is_judged_where_there_are_clips_enough() -> None:
    sure = hears(MANY, 0.6, number=2)
    sure = replace(sure, clips={key: replace(one, confidence=1.0) for key, one in sure.clips.items()})
    finding = PARTS["calibration"](Evidence(sure, hears(MANY, 0.6), clips=MANY), SETTINGS)
    assert not finding.passed
    assert "of the generation in service, 1" in finding.words
    few = {clip.sha256 for clip in FEW}
    sure_of_few = replace(sure, clips={name: ClipAnswer(("rain",), "rain", 1.0) for name in few})
    shown = PARTS["calibration"](Evidence(sure_of_few, clips=FEW), SETTINGS)
    assert shown.passed
    assert "shown only" in shown.words


def test_latency_must_fit_the_channels_with_room_to_spare() -> None:
    system = replace(hears(FEW, 1.0), windows_per_s=100.0)
    for channels, passed in ((0, True), (25, True), (26, False)):
        finding = PARTS["latency"](Evidence(system, clips=FEW, channels=channels, hop_s=0.5), SETTINGS)
        assert finding.passed == passed, finding.words
    told = SETTINGS.model_copy(update={"channels": 1000})
    assert not PARTS["latency"](Evidence(system, clips=FEW, channels=1), told).passed


def test_an_incumbent_that_cannot_be_scored_again_is_no_reason_to_pass() -> None:
    evidence = Evidence(
        hears(FEW, 1.0), clips=FEW, unscored=("the generation in service, 1, cannot be scored",)
    )
    assert judge(evidence, SETTINGS).reasons == ("the generation in service, 1, cannot be scored",)


def test_without_test_clips_nothing_passes() -> None:
    verdict = judge(Evidence(hears((), 1.0)), SETTINGS)
    assert verdict.failed == ("clips",)
    assert "label clips of a class in at least three groups" in verdict.reasons[0]


def test_a_generation_of_several_labels_is_judged_class_by_class() -> None:
    clips = tuple(
        replace(clip, class_paths=("frogs", "rain")) if clip.class_paths == ("frogs",) else clip
        for clip in made_clips(20)
    )
    whole = {clip.sha256: ClipAnswer(clip.class_paths, clip.class_paths[0], 0.9) for clip in clips}
    half = {clip.sha256: ClipAnswer(clip.class_paths[:1], clip.class_paths[0], 0.9) for clip in clips}
    multi = replace(hears(clips, 1.0), labels="multi")
    before, now = replace(multi, clips=whole), replace(multi, generation=2, clips=half)
    finding = PARTS["classes"](Evidence(now, before, clips=clips), SETTINGS)
    assert not finding.passed
    assert finding.words.startswith("rain")
    assert PARTS["clips"](Evidence(before, clips=clips), SETTINGS).figures["macro_f1"] == 1


@given(st.lists(st.booleans(), min_size=1, max_size=7))
def test_a_verdict_passes_only_if_every_part_does(parts: list[bool]) -> None:
    verdict = Verdict(tuple(Finding(str(at), passed, f"w{at}") for at, passed in enumerate(parts)))
    assert verdict.passed == all(parts)
    assert len(verdict.reasons) == len(verdict.failed) == parts.count(False)
