"""Event and segment figures: hand-computed cases, and what holds for all."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation.events import (
    EventFigures,
    TimedLabel,
    Track,
    event_based,
    segment_based,
)
from tidzam_platform.errors import LabelError

TENTHS = st.integers(0, 200).map(lambda tenths: tenths / 10)
EVENT = st.builds(
    lambda start, length, name: TimedLabel(start, start + length, name),
    TENTHS,
    st.integers(1, 40).map(lambda tenths: tenths / 10),
    st.sampled_from(["cat", "dog", "rain"]),
)
EVENTS = st.lists(EVENT, max_size=6).map(tuple)


def track(reference: list[tuple], heard: list[tuple], *ignored: tuple[float, float]) -> Track:
    return Track(
        tuple(itertools.starmap(TimedLabel, reference)), tuple(itertools.starmap(TimedLabel, heard)), ignored
    )


def counts(figures: EventFigures, name: str) -> tuple[int, int, int]:
    one = figures.per_class[name]
    return one.reference, one.heard, one.matched


def test_events_equal_a_hand_calculation() -> None:
    figures = event_based(
        [
            track(
                [(1.0, 2.0, "cat"), (5.0, 6.0, "cat"), (8.0, 9.0, "dog")],
                [(1.5, 2.5, "cat"), (5.51, 6.0, "cat"), (8.0, 9.0, "cat"), (20.0, 21.0, "rain")],
            )
        ]
    )
    # onset 0.5 s late is within the collar, 0.51 s is not; the dog was heard as a cat
    assert counts(figures, "cat") == (2, 3, 1)
    assert counts(figures, "dog") == (1, 0, 0)
    assert counts(figures, "rain") == (0, 1, 0)
    assert figures.per_class["cat"].f1 == pytest.approx(2 / 5)
    assert figures.macro_f1 == pytest.approx((2 / 5 + 0) / 2), "rain never sounds and is not in the mean"
    assert figures.micro.precision == pytest.approx(1 / 4)
    assert figures.micro.recall == pytest.approx(1 / 3)
    assert figures.micro.f1 == pytest.approx(2 / 7)


def test_each_event_has_one_partner_and_as_many_as_possible_have_one() -> None:
    # The first heard event fits both; a greedy match would give it to the first and leave the second alone.
    both = track([(1.0, 2.0, "cat"), (1.8, 3.0, "cat")], [(1.4, 2.0, "cat"), (0.6, 2.0, "cat")])
    assert counts(event_based([both]), "cat") == (2, 2, 2)
    split = track([(1.0, 5.0, "cat")], [(0.9, 2.0, "cat"), (1.1, 5.0, "cat")])
    assert counts(event_based([split]), "cat") == (1, 2, 1), "a call heard as two is one found and one false"


def test_the_offset_counts_where_it_is_asked_for() -> None:
    late = [track([(1.0, 5.0, "cat"), (10.0, 10.4, "cat")], [(1.0, 7.0, "cat"), (10.0, 11.0, "cat")])]
    assert counts(event_based(late), "cat")[2] == 2
    # 2 s late is within half of 4 s; 0.6 s late is beyond the collar and beyond half of 0.4 s
    assert counts(event_based(late, offset_collar_s=0.5), "cat")[2] == 1
    assert counts(event_based(late, offset_collar_s=0.5, offset_share=0.1), "cat")[2] == 0
    assert counts(event_based(late, offset_collar_s=0.7), "cat")[2] == 2


def test_segments_equal_a_hand_calculation() -> None:
    figures = segment_based([track([(0.5, 2.5, "cat"), (4.0, 5.0, "dog")], [(2.9, 4.1, "cat")])])
    # cat sounds in segments 0, 1, 2 and is heard in 2, 3, 4; the dog sounds in 4
    assert counts(figures, "cat") == (3, 3, 1)
    assert counts(figures, "dog") == (1, 0, 0)
    assert figures.macro_f1 == pytest.approx((1 / 3 + 0) / 2)
    assert figures.micro.f1 == pytest.approx(2 / 7)
    finer = segment_based([track([(0.5, 2.5, "cat")], [(0.5, 2.5, "cat")])], segment_s=0.25)
    assert counts(finer, "cat") == (8, 8, 8)


def test_counts_are_summed_over_tracks_and_tracks_never_mix() -> None:
    there, elsewhere = track([(1.0, 2.0, "cat")], []), track([], [(1.0, 2.0, "cat")])
    for figures in (event_based([there, elsewhere]), segment_based([there, elsewhere])):
        assert counts(figures, "cat") == (1, 1, 0)
        assert figures.macro_f1 == 0


def test_where_nothing_sounds_there_is_no_macro_f1() -> None:
    for figures in (event_based([track([], [(1.0, 2.0, "cat")])]), segment_based([])):
        assert figures.macro_f1 is None
        assert figures.micro.f1 == 0


def test_ignored_stretches_are_not_scored() -> None:
    heard = [(1.0, 2.0, "dog"), (3.0, 6.0, "cat"), (9.0, 10.0, "dog")]
    figures = event_based([track([(3.0, 4.0, "cat")], heard, (1.2, 1.4), (5.0, 6.0))])
    # the first dog lies beside an ignored stretch only; the cat touches one, but what sounds as well
    assert counts(figures, "dog") == (0, 1, 0)
    assert counts(figures, "cat") == (1, 1, 1)
    segments = segment_based([track([(3.0, 4.0, "cat")], heard, (1.2, 1.4), (5.0, 6.0))])
    assert counts(segments, "dog") == (0, 1, 0)
    assert counts(segments, "cat") == (1, 2, 1)


@untimed
@given(st.lists(EVENTS, min_size=1, max_size=3))
def test_a_perfect_answer_is_perfect(tracks: list[tuple[TimedLabel, ...]]) -> None:
    same = [Track(events, events) for events in tracks]
    for figures in (event_based(same, offset_collar_s=0.1), segment_based(same)):
        assert figures.macro_f1 == (1 if any(tracks) else None)
        assert all(one.f1 == 1 for one in figures.per_class.values())


@untimed
@given(EVENTS, EVENTS)
def test_precision_and_recall_change_places_with_the_sides(
    one: tuple[TimedLabel, ...], other: tuple[TimedLabel, ...]
) -> None:
    for there, back in (
        (event_based([Track(one, other)]), event_based([Track(other, one)])),
        (segment_based([Track(one, other)]), segment_based([Track(other, one)])),
    ):
        assert there.per_class.keys() == back.per_class.keys()
        for name, figures in there.per_class.items():
            assert figures.precision == back.per_class[name].recall
            assert figures.f1 == back.per_class[name].f1


@untimed
@given(EVENTS, EVENTS, st.floats(0.1, 2), st.floats(0.1, 2))
def test_a_wider_collar_never_finds_less(
    reference: tuple[TimedLabel, ...], heard: tuple[TimedLabel, ...], collar_s: float, more_s: float
) -> None:
    narrow = event_based([Track(reference, heard)], onset_collar_s=collar_s)
    wide = event_based([Track(reference, heard)], onset_collar_s=collar_s + more_s)
    assert narrow.micro.matched <= wide.micro.matched <= min(len(reference), len(heard))


@untimed
@given(st.lists(TENTHS, min_size=1, max_size=5, unique=True), st.floats(0.51, 0.9))
def test_a_shift_beyond_the_collar_finds_nothing(onsets: list[float], shift_s: float) -> None:
    spread = [onset * 20 for onset in sorted(onsets)]  # 2 s apart at least
    events = tuple(TimedLabel(onset, onset + 1, "cat") for onset in spread)
    late = tuple(TimedLabel(one.onset_s + shift_s, one.offset_s + shift_s, "cat") for one in events)
    assert event_based([Track(events, late)]).macro_f1 == 0
    assert event_based([Track(events, late)], onset_collar_s=1).macro_f1 == 1


@untimed
@given(EVENTS, EVENTS)
def test_matching_is_as_large_as_trying_all_pairings(
    reference: tuple[TimedLabel, ...], heard: tuple[TimedLabel, ...]
) -> None:
    small, large = sorted((reference[:4], heard[:4]), key=len)
    best = max(
        (
            sum(
                one.class_path == other.class_path and abs(one.onset_s - other.onset_s) <= 0.5
                for one, other in zip(small, chosen, strict=True)
            )
            for chosen in itertools.permutations(large, len(small))
        ),
        default=0,
    )
    assert event_based([Track(reference[:4], heard[:4])]).micro.matched == best


@pytest.mark.parametrize("times", [(2.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_event_lasts_from_a_time_to_a_later_one(times: tuple[float, float]) -> None:
    with pytest.raises(LabelError, match="cat"):
        TimedLabel(*times, "cat")
