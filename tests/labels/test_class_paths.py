"""Class paths: levels and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers import decision
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.labels.class_paths import (
    MAX_PATH_LENGTH,
    NO_SIGNAL,
    UNKNOWN,
    ancestors,
    is_within,
    join_label,
    parent,
    valid_class_path,
    valid_label,
    with_ancestors,
)

WORDS = st.from_regex(r"[a-z0-9]{1,6}(_[a-z0-9]{1,6}){0,2}", fullmatch=True)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map("-".join)


@given(PATHS)
def test_lower_case_words_in_levels_are_a_class_path(path: str) -> None:
    assert valid_class_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "-", "Birds", "birds-", "-crow", "birds--crow", "american crow", "_crow", "crow_", "a__b", "a/b",
     "birds\n", "birds.crow", "a" * (MAX_PATH_LENGTH + 1)],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(path: str) -> None:
    with pytest.raises(InvalidNameError, match="birds-american_crow"):
        valid_class_path(path)


@given(PATHS)
def test_ancestors_are_the_parents_up_to_the_top(path: str) -> None:
    climbed = []
    above = parent(path)
    while above is not None:
        climbed.append(above)
        above = parent(above)
    assert ancestors(path) == climbed[::-1]


@given(st.sets(PATHS, max_size=5))
def test_with_ancestors_is_closed_and_in_order(paths: set[str]) -> None:
    closed = with_ancestors(paths)
    assert closed == sorted(set(closed))
    assert paths <= set(closed)
    assert {parent(path) for path in closed} <= {None, *closed}
    assert all(any(is_within(path, above) for path in paths) for above in closed)


@given(PATHS, WORDS)
def test_a_class_is_within_itself_and_what_is_above_it_and_nothing_else(path: str, word: str) -> None:
    assert is_within(path, path)
    assert is_within(f"{path}-{word}", path)
    assert not is_within(path, f"{path}-{word}")
    assert not is_within(f"{path}_{word}", path)


def test_a_label_with_its_parent_becomes_a_path() -> None:
    assert join_label("bird", "animal") == "animal-bird"
    assert join_label("noise", "noise") == "noise"
    assert join_label("noise", None) == "noise"
    assert join_label("noise", "") == "noise"
    with pytest.raises(InvalidNameError):
        join_label("Bird", "animal")


@pytest.mark.parametrize(
    ("label", "above", "instead"),
    [
        ("unknown", None, "other"),
        ("bird", "unknown", "other"),
        ("unknown", "unknown", "other"),
        ("no_signal", None, "no_signal-silence"),
        ("no_signal", "no_signal", "no_signal-silence"),
    ],
)
def test_an_answer_of_the_decision_is_no_label(label: str, above: str | None, instead: str) -> None:
    with pytest.raises(InvalidNameError, match=f"cannot be a label.*{instead}"):
        join_label(label, above)


def test_a_label_may_lie_below_no_signal_or_only_look_like_an_answer() -> None:
    assert join_label("silence", "no_signal") == "no_signal-silence"
    assert join_label("unknown", "birds") == "birds-unknown"
    assert valid_label("unknown_bird") == "unknown_bird"
    assert (UNKNOWN, NO_SIGNAL) == (decision.UNKNOWN, decision.NO_SIGNAL)
