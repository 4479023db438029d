"""Bootstrap intervals: they hold what they say, pair what is paired and draw whole groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation import compare
from tidzam_platform.classifiers.evaluation.bootstrap import macro_f1_difference, macro_f1_interval
from tidzam_platform.errors import TrainingError

CLASS = st.sampled_from(["a", "b", "c"])


def some_answers(clips: int, share_right: float, seed: int) -> tuple[list[tuple[str, ...]], list[str]]:
    random = np.random.default_rng(seed)
    truths = [(str(name),) for name in random.choice(["a", "b", "c"], clips)]
    answers = [truth[0] if random.random() < share_right else "d" for truth in truths]
    return truths, answers


@untimed
@given(st.lists(st.tuples(CLASS, st.sampled_from(["a", "b", "c", "z"])), min_size=1, max_size=30))
def test_the_estimate_is_the_macro_f1_of_all_clips(pairs: list[tuple[str, str]]) -> None:
    truths, answers = [(truth,) for truth, _ in pairs], [answer for _, answer in pairs]
    interval = macro_f1_interval(truths, answers, resamples=20)
    assert interval.estimate == pytest.approx(compare(truths, answers).macro_f1)
    assert 0 <= interval.low <= interval.high <= 1


def test_each_resample_is_what_compare_says_of_it() -> None:
    """One group drawn twice or the other twice, or each once: three macro-F1 that are known."""
    truths, answers = [("a",), ("b",), ("a",)], ["a", "a", "b"]
    groups = ["one", "one", "two"]
    known = {
        compare([truths[i] for i in clips], [answers[i] for i in clips]).macro_f1
        for clips in ([0, 1, 0, 1], [0, 1, 2], [2, 2])
    }
    for confidence in (0.0, 0.5, 0.9, 0.99):
        interval = macro_f1_interval(truths, answers, groups, resamples=501, confidence=confidence)
        assert min(abs(interval.low - value) for value in known) < 1e-12
    assert macro_f1_interval(truths, answers, groups).low == min(known)
    assert macro_f1_interval(truths, answers, groups).high == max(known)


def test_all_right_has_no_width_and_so_has_all_wrong() -> None:
    truths = [("a",), ("b",), ("c",)] * 5
    right = macro_f1_interval(truths, [truth[0] for truth in truths])
    assert (right.low, right.high) == (1, 1)
    wrong = macro_f1_interval(truths, ["z"] * len(truths))
    assert (wrong.low, wrong.high) == (0, 0)


def test_more_clips_give_a_narrower_interval_and_groups_a_wider_one() -> None:
    truths, answers = some_answers(400, 0.7, seed=1)
    many = macro_f1_interval(truths, answers)
    few = macro_f1_interval(truths[:50], answers[:50])
    assert many.low < 0.85 < many.high  # F1 of a class: precision 1, recall 0.7
    assert many.high - many.low < few.high - few.low
    # The same clips ten times over are no more evidence, and groups say so.
    copies = macro_f1_interval(truths[:50] * 10, answers[:50] * 10, list(range(50)) * 10)
    assert (copies.low, copies.high) == pytest.approx((few.low, few.high))


def test_the_same_seed_gives_the_same_interval() -> None:
    truths, answers = some_answers(60, 0.6, seed=2)
    assert macro_f1_interval(truths, answers, seed=3) == macro_f1_interval(truths, answers, seed=3)
    assert macro_f1_interval(truths, answers, seed=3) != macro_f1_interval(truths, answers, seed=4)


def test_a_difference_is_paired() -> None:
    truths, answers = some_answers(300, 0.6, seed=5)
    # The other system is wrong on the same clips and on some more: always worse, whatever is drawn.
    worse = [answer if index % 5 else "d" for index, answer in enumerate(answers)]
    paired = macro_f1_difference(truths, answers, worse)
    assert paired.low > 0
    assert paired.estimate == pytest.approx(
        compare(truths, answers).macro_f1 - compare(truths, worse).macro_f1
    )
    one, other = macro_f1_interval(truths, answers), macro_f1_interval(truths, worse)
    assert paired.high - paired.low < (one.high - one.low) + (other.high - other.low)
    back = macro_f1_difference(truths, worse, answers)
    assert (back.low, back.high) == pytest.approx((-paired.high, -paired.low))


def test_a_system_does_not_differ_from_itself() -> None:
    truths, answers = some_answers(50, 0.5, seed=6)
    same = macro_f1_difference(truths, answers, answers)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_one_group_a_clip_is_asked_for() -> None:
    with pytest.raises(TrainingError, match="1 groups for 2 clips"):
        macro_f1_interval([("a",), ("b",)], ["a", "b"], ["one"])
    with pytest.raises(TrainingError, match="no clips"):
        macro_f1_interval([], [])
