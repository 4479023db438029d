"""What became of each detection: properties that hold for any two lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from tests.detections.made import heard
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.matching import Match, match

made = st.builds(
    lambda start, length, channel, class_path: (start, length, channel, class_path),
    st.integers(0, 60),
    st.integers(1, 12),
    st.sampled_from(["marsh:out_1", "marsh:out_2"]),
    st.sampled_from(["birds", "birds-crow", "rain"]),
)
sides = st.lists(made, max_size=14, unique_by=lambda one: (one[0], one[2], one[3]))


def detections(values: list[tuple[int, int, str, str]], generation: int) -> list[Detection]:
    found = [
        heard(start / 2, channel=channel, class_path=path, generation=generation, seconds=length / 2)
        for start, length, channel, path in values
    ]
    return sorted(found, key=lambda one: (one.start, one.channel, one.class_path))


def whole(matches: list[Match]) -> dict[str, Counter[str]]:
    """Ids by what became of them."""
    return {
        name: Counter(one.id for found in matches for one in getattr(found, name))
        for name in ("kept_before", "kept_after", "lost", "gained")
    } | {
        "changed_before": Counter(one.id for found in matches for one, _ in found.changed),
        "changed_after": Counter(other.id for found in matches for _, other in found.changed),
    }


def overlap(one: Detection, other: Detection) -> bool:
    return one.channel == other.channel and one.start < other.end and other.start < one.end


@given(sides, sides)
def test_each_detection_has_one_fate(left: list, right: list) -> None:
    before, after = detections(left, 1), detections(right, 2)
    fates = whole(list(match(before, after)))
    assert fates["kept_before"] + fates["lost"] + fates["changed_before"] == Counter(one.id for one in before)
    assert fates["kept_after"] + fates["gained"] + fates["changed_after"] == Counter(one.id for one in after)


@given(sides, sides)
def test_kept_means_that_the_same_class_overlaps_and_changed_that_only_others_do(
    left: list, right: list
) -> None:
    before, after = detections(left, 1), detections(right, 2)
    for found in match(before, after):
        for one in found.kept_before:
            assert any(overlap(one, other) and one.class_path == other.class_path for other in after)
        for one, other in found.changed:
            assert overlap(one, other)
            assert one.class_path != other.class_path
        for one in found.lost:
            assert not any(overlap(one, other) and one.class_path == other.class_path for other in after)
        for one in found.lost:
            for other in found.gained:
                assert not overlap(one, other), "they would be a change"


@given(sides)
def test_nothing_differs_from_itself(left: list) -> None:
    before = detections(left, 1)
    matches = list(match(before, before))
    assert sum(len(found.kept_after) for found in matches) == len(before)
    assert not any(found.lost or found.gained or found.changed for found in matches)


@given(sides, sides)
def test_exchanging_the_sides_exchanges_what_is_lost_and_gained(left: list, right: list) -> None:
    before, after = detections(left, 1), detections(right, 2)
    there, back = whole(list(match(before, after))), whole(list(match(after, before)))
    assert there["lost"] == back["gained"]
    assert there["gained"] == back["lost"]
    assert there["changed_before"] == back["changed_after"]
    assert there["kept_before"] == back["kept_after"]


@given(sides, sides)
def test_channels_do_not_matter_to_each_other(left: list, right: list) -> None:
    before, after = detections(left, 1), detections(right, 2)
    together = whole(list(match(before, after)))
    channels = {one.channel for one in chain(before, after)}
    apart = [
        found
        for channel in channels
        for found in match(
            [one for one in before if one.channel == channel],
            [one for one in after if one.channel == channel],
        )
    ]
    assert whole(apart) == together


def test_classes_that_are_called_the_same_are_the_same() -> None:
    before, after = [heard(0, class_path="crow")], [heard(0.5, class_path="raven", generation=2)]
    (found,) = match(before, after, lambda one, other: {one, other} == {"crow", "raven"})
    assert (found.kept_before, found.kept_after) == (before, after)


def test_the_longest_overlap_is_the_change() -> None:
    long = heard(0, class_path="rain", seconds=10)
    short, most = heard(0, class_path="birds", seconds=2, generation=2), heard(2, seconds=8, generation=2)
    (found,) = match([long], [short, most])
    assert found.changed == [(long, most)]
    assert found.gained == [short]
    assert replace(long, score=0.1) != long
