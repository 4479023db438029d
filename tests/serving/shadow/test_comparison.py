"""Answers are compared by class path, window by window; what says nothing counts for nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.shadow.comparison import Side, compare
from serving.shadow.figures import Figures
from serving.shadow.origins import WindowOrigin
from tests.serving.shadow.made_answers import QUIET_DBFS, answered, described
from tidzam_platform.errors import ModelServerError
from tidzam_platform.settings import DecisionSettings

DECISION = DecisionSettings()
STABLE = Side(described(3, "birds", "birds-wren", "rain"), DECISION)
CANARY = Side(described(4, "rain", "birds", "birds-wren", "birds-owl"), DECISION)  # more, in another order


def origins(rows: int) -> list[WindowOrigin]:
    return [WindowOrigin("site:out_1", str(row)) for row in range(rows)]


def test_answers_rates_and_differences_go_by_class_path():
    stable = answered(3, [[0.9, 0.8, 0.1], [0.9, 0.8, 0.1], [0.1, 0.1, 0.2], [0.2, 0.1, 0.9]])
    canary = answered(
        4, [[0.1, 0.9, 0.7, 0.1], [0.1, 0.9, 0.1, 0.8], [0.2, 0.1, 0.1, 0.0], [0.6, 0.2, 0.1, 0.0]]
    )
    figures, disagreements = compare(STABLE, CANARY, stable, canary, origins(4))
    assert (figures.batches, figures.windows, figures.unusable, figures.quiet) == (1, 4, 0, 0)
    assert figures.agreed == 3, "wren and wren, unknown and unknown, rain and rain"
    assert figures.agreed_leaf == 3
    assert figures.stable.heard == {"birds": 0, "birds-wren": 2, "rain": 1, "unknown": 1, "no_signal": 0}
    assert figures.canary.heard == {
        "birds": 0,
        "birds-wren": 1,
        "birds-owl": 1,
        "rain": 1,
        "unknown": 1,
        "no_signal": 0,
    }
    assert set(figures.differences) == {"birds", "birds-wren", "rain"}
    wren = figures.differences["birds-wren"]
    assert wren.windows == 4
    assert wren.total == pytest.approx(-0.1 - 0.7)
    assert wren.absolute == pytest.approx(0.1 + 0.7)
    assert wren.largest == pytest.approx(0.7)
    (one,) = disagreements
    assert one.origin.start == "1"
    assert (one.stable.class_path, one.canary.class_path) == ("birds-wren", "birds-owl")
    assert (one.stable.score, one.canary.score) == (pytest.approx(0.8), pytest.approx(0.8))
    assert one.scores["birds-owl"] == (None, pytest.approx(0.8))
    assert one.scores["birds-wren"] == (pytest.approx(0.8), pytest.approx(0.1))


def test_windows_that_are_quiet_for_both_are_told_apart():
    stable = answered(3, [[0.9, 0.8, 0.1], [0.9, 0.8, 0.1]], [QUIET_DBFS, QUIET_DBFS])
    canary = answered(4, [[0.9, 0.1, 0.1, 0.1], [0.9, 0.1, 0.1, 0.1]], [QUIET_DBFS, -20])
    figures, disagreements = compare(STABLE, CANARY, stable, canary, origins(2))
    assert (figures.windows, figures.quiet, figures.agreed, figures.agreed_leaf) == (2, 1, 1, 0)
    assert figures.differences["rain"].windows == 1
    assert [(one.stable.class_path, one.canary.class_path) for one in disagreements] == [
        ("no_signal", "rain")
    ]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("side", ["stable", "canary"])
def test_scores_that_are_no_numbers_are_counted_and_spoil_no_sum(wrong, side):
    stable = answered(3, [[wrong if side == "stable" else 0.9, 0.8, 0.1], [0.9, 0.8, 0.1]])
    canary = answered(4, [[wrong if side == "canary" else 0.9, 0.1, 0.1, 0.1], [0.1, 0.9, 0.8, 0.1]])
    figures, disagreements = compare(STABLE, CANARY, stable, canary, origins(2))
    assert (figures.windows, figures.unusable, figures.agreed) == (1, 1, 1)
    assert disagreements == []
    assert all(math.isfinite(one.total) for one in figures.differences.values())


def test_silence_of_minus_infinite_level_is_quiet():
    stable, canary = answered(3, [[0.9, 0.8, 0.1]], [-np.inf]), answered(4, [[0.9, 0.1, 0.1, 0.1]], [-np.inf])
    assert compare(STABLE, CANARY, stable, canary, origins(1))[0].quiet == 1


def test_with_several_labels_the_same_classes_must_sound_in_any_order():
    sides = [Side(described(number, "rain", "wren", labels="multi"), DECISION) for number in (3, 4)]
    stable, canary = answered(3, [[0.9, 0.8], [0.9, 0.8]]), answered(4, [[0.8, 0.9], [0.9, 0.1]])
    figures, disagreements = compare(*sides, stable, canary, origins(2))
    assert figures.agreed == 1
    assert figures.stable.heard["wren"] == 2
    assert figures.canary.heard["wren"] == 1
    assert [one.origin.start for one in disagreements] == ["1"]


def test_answers_that_do_not_fit_are_refused():
    good = answered(3, [[0.9, 0.8, 0.1]])
    with pytest.raises(ModelServerError, match="for 4 classes"):
        compare(STABLE, CANARY, good, answered(4, [[0.9, 0.8, 0.1]]), origins(1))
    with pytest.raises(ModelServerError, match="1 windows, the canary 2"):
        compare(STABLE, CANARY, good, answered(4, [[0.1] * 4] * 2), origins(1))


SCORE = st.floats(0, 1, width=32)
ROW = st.tuples(
    st.lists(SCORE, min_size=3, max_size=3),
    st.lists(SCORE, min_size=4, max_size=4),
    st.sampled_from([QUIET_DBFS, -20.0]),
)


@given(st.lists(ROW, min_size=2, max_size=8), st.data())
def test_figures_of_parts_add_up_to_those_of_the_whole(rows, data):
    def figures_of(part):
        levels = [level for *_, level in part]
        stable, canary = (
            answered(3, [row[0] for row in part], levels),
            answered(4, [row[1] for row in part], levels),
        )
        figures, found = compare(STABLE, CANARY, stable, canary, origins(len(part)))
        assert len(found) == figures.windows - figures.agreed
        return figures

    cut = data.draw(st.integers(1, len(rows) - 1))
    whole, sum_ = figures_of(rows), figures_of(rows[:cut])
    sum_.merge(Figures.from_json(figures_of(rows[cut:]).to_json()))
    whole.batches = 2
    for name in ("windows", "unusable", "quiet", "agreed", "agreed_leaf", "batches"):
        assert getattr(sum_, name) == getattr(whole, name)
    assert sum_.stable.heard == whole.stable.heard
    assert sum_.canary.heard == whole.canary.heard
    assert sum(whole.stable.heard.values()) == len(rows), "one answer a window"
    for path, one in whole.differences.items():
        assert sum_.differences[path].total == pytest.approx(one.total)
        assert sum_.differences[path].largest == one.largest
