"""The rate ``auto`` beside a plain statement of the original's rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.clips import auto_rate

CLASSES = ["birds", "rain", "wind", "birds-robin", "birds-crow", "birds-crow-young", "unknown", "no_signal"]
COUNTS = st.dictionaries(st.sampled_from(CLASSES), st.integers(0, 1000))


def plain(name: str, clips: dict[str, int]) -> float:
    """1 - n(class) / max n(sibling classes), a class with none always, unknown always."""
    if name == "unknown":
        return 1.0
    if clips.get(name, 0) == 0:
        return 1.0
    level, above = name.count("-"), name.rsplit("-", 1)[0] if "-" in name else ""
    siblings = [
        other
        for other in clips
        if other.count("-") == level
        and (other.rsplit("-", 1)[0] if "-" in other else "") == above
        and other not in ("unknown", "no_signal")
    ]
    return 1.0 - clips[name] / max(clips[other] for other in siblings)


@given(st.sampled_from([one for one in CLASSES if one != "no_signal"]), COUNTS)
def test_it_is_what_the_original_says(name: str, counts: dict[str, int]) -> None:
    assert auto_rate(name, counts) == plain(name, counts)


@given(st.sampled_from(CLASSES), COUNTS, st.integers(1, 2000))
def test_it_is_a_probability_and_below_at_least_it_is_certain(
    name: str, counts: dict[str, int], at_least: int
) -> None:
    rate = auto_rate(name, counts, at_least)
    assert 0 <= rate <= 1
    if counts.get(name, 0) < at_least:
        assert rate == 1


@given(COUNTS, st.sampled_from(["rain", "birds-robin"]))
def test_the_most_common_sibling_is_kept_no_more_and_a_rarer_one_is(
    counts: dict[str, int], name: str
) -> None:
    counts = {**counts, name: 2000}
    assert auto_rate(name, counts) == 0
    assert auto_rate(name, {**counts, f"{name}x": 4000}) == 0.5


def test_a_class_without_siblings_has_none_that_it_could_be_rarer_than() -> None:
    assert auto_rate("rain", {}) == 1
    assert auto_rate("rain", {"rain": 1}) == 0
    assert auto_rate("rain", {"rain": 1, "unknown": 500, "no_signal": 500, "birds-robin": 500}) == 0
