"""Windows are passed on in the order of the grid, each once, whatever the order in which they come or are lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.asking import WindowSpan
from streamer.analyzer.deciding.sequencer import Sequencer, Step
from streamer.analyzer.deciding.stretch import HeardWindow, Stretch
from streamer.analyzer.windows import Geometry, Run, WindowKey

RUN = Run("marsh", 10**18, Geometry(100, 8, 4))
PLENTY = 1 << 30
# Which windows are cut (some are not: audio was missing), and for each when it comes and how.
WINDOWS = st.lists(
    st.tuples(st.integers(1, 2), st.integers(0, 15), st.integers(0, 30), st.sampled_from(["heard", "lost"])),
    max_size=30,
    unique_by=lambda window: window[:2],
)


def window(number: int, index: int, run: Run = RUN, *, was_spooled: bool = False) -> HeardWindow:
    key = WindowKey(run, number, index * run.geometry.hop_frames, 0.0)
    return HeardWindow(key, 3, np.array([index], np.float32), None, 0.0, was_spooled)


def place(step: Step) -> int:
    assert step.window is not None
    assert step.window.scores[0] == step.window.key.start_frame // 4
    return step.window.key.start_frame // RUN.geometry.hop_frames


def run_through(
    sequencer: Sequencer, windows: list[tuple[int, int, int, str]]
) -> tuple[list[Step], set[tuple[int, int]]]:
    """Expect windows as they are cut, and let each come so many steps later; returns the steps and what was held."""
    steps, held = [], set()
    coming: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    cut: dict[int, list[int]] = defaultdict(list)
    for number, index, later, how in windows:
        cut[index].append(number)
        coming[index + later].append((number, index, how))
    for now in range(60):
        sequencer.expect([WindowKey(RUN, number, now * 4, 0.0) for number in cut[now]])
        for number, index, how in coming[now]:
            if how == "heard":
                waiting = sequencer.resolve([window(number, index)])
                held |= {(one.key.number, one.key.start_frame // 4) for one in waiting}
            else:
                sequencer.lost([WindowKey(RUN, number, index * 4, 0.0)])
        steps += sequencer.take_steps()
    return steps, held


@given(WINDOWS)
def test_windows_are_passed_on_in_order_each_once(windows: list[tuple[int, int, int, str]]) -> None:
    sequencer = Sequencer(PLENTY)
    steps, held = run_through(sequencer, windows)
    for number in (1, 2):
        passed = [place(step) for step in steps if step.stretch.lane[1] == number]
        heard = [index for other, index, _, how in windows if other == number and how == "heard"]
        assert passed == sorted(heard)
    came = {(number, index): index + later for number, index, later, _ in windows}
    for number, index, _, how in windows:
        before = [came[one] for one in came if one[0] == number and one[1] < index]
        now, latest = came[number, index], max(before, default=-1)
        if how == "heard" and latest != now:  # within a step either may be first
            assert ((number, index) in held) == (latest > now), "it is held while one before it is to come"
    assert sequencer.held_bytes == 0
    assert sequencer.expected_windows == 0
    assert sequencer.unexpected == 0
    assert sequencer.splits == 0
    sequencer.end(RUN)
    ended = sequencer.take_steps()
    assert [step.window for step in ended] == [None] * len({number for number, *_ in windows})


@given(WINDOWS, st.integers(0, 3000))
def test_when_too_much_is_held_rows_are_cut_and_still_nothing_is_lost_or_twice(
    windows: list[tuple[int, int, int, str]], held_bytes: int
) -> None:
    sequencer = Sequencer(held_bytes)
    steps, _ = run_through(sequencer, windows)
    assert sequencer.held_bytes == 0
    passed = [(step.stretch.lane[1], place(step)) for step in steps if step.window is not None]
    assert sorted(passed) == sorted((number, index) for number, index, _, how in windows if how == "heard")
    of_stretch: dict[Stretch, list[int]] = defaultdict(list)
    ended: set[Stretch] = set()
    for step in steps:
        assert step.stretch not in ended, "nothing follows the end of a stretch"
        if step.window is None:
            ended.add(step.stretch)
        else:
            of_stretch[step.stretch].append(place(step))
    for number in (1, 2):
        rows = sorted(row for stretch, row in of_stretch.items() if stretch.lane[1] == number)
        joined = [index for row in rows for index in row]
        assert joined == sorted(joined), "stretches follow one another, windows of each are in order"


def test_what_is_held_is_bounded() -> None:
    sequencer = Sequencer(5000)
    sequencer.expect([WindowKey(RUN, 1, index * 4, 0.0) for index in range(1001)])
    for index in range(1, 1001):
        sequencer.resolve([window(1, index)])
        assert sequencer.held_bytes <= 5000
    assert sequencer.splits == 1, "what follows need not wait"
    passed = [place(step) for step in sequencer.take_steps() if step.window is not None]
    assert passed == list(range(1, 1001))
    sequencer.resolve([window(1, 0)])
    first, end = sequencer.take_steps()
    assert (place(first), end.window, end.stretch) == (0, None, first.stretch)


def test_what_nobody_expected_or_what_comes_twice_is_not_passed_on() -> None:
    sequencer = Sequencer(PLENTY)
    sequencer.expect([WindowKey(RUN, 1, 0, 0.0), WindowKey(RUN, 1, 4, 0.0)])
    assert sequencer.resolve([window(1, 0), window(1, 0), window(1, 7), window(2, 0, was_spooled=True)]) == []
    assert [place(step) for step in sequencer.take_steps()] == [0]
    assert sequencer.unexpected == 3
    (key,) = sequencer.take_unexpected()
    assert (key.number, key.start_frame) == (2, 0), (
        "those of the spool are told, so that it can let go of them"
    )
    sequencer.lost([WindowKey(RUN, 1, 0, 0.0), WindowKey(RUN, 9, 0, 0.0)])
    assert sequencer.take_steps() == []


def test_a_new_run_ends_the_one_before_when_that_is_through() -> None:
    after = replace(RUN, anchor_utc_ns=RUN.anchor_utc_ns + 10**12)
    sequencer = Sequencer(PLENTY)
    sequencer.expect([WindowKey(RUN, 1, 0, 0.0), WindowKey(RUN, 2, 0, 0.0)])
    sequencer.expect([WindowKey(after, 1, 0, 0.0)])
    sequencer.resolve([window(1, 0, after)])
    (step,) = sequencer.take_steps()
    assert step.stretch.lane == (after, 1)
    sequencer.resolve([window(1, 0)])
    first, end = sequencer.take_steps()
    assert (first.stretch.lane, end.window, end.stretch) == ((RUN, 1), None, first.stretch)
    sequencer.resolve([window(2, 0)])
    (other,) = sequencer.take_steps()
    assert other.window is not None, "the other channel has no new run yet"


def test_a_run_that_had_ended_may_go_on() -> None:
    sequencer = Sequencer(PLENTY)
    sequencer.expect([WindowKey(RUN, 1, 0, 0.0)])
    sequencer.end(RUN)
    sequencer.expect([WindowKey(RUN, 1, 4, 0.0)])
    sequencer.resolve([window(1, 1)])
    sequencer.resolve([window(1, 0)])
    steps = sequencer.take_steps()
    assert [step.window is not None and place(step) for step in steps] == [1, 0, False]
    assert steps[0].stretch is not steps[1].stretch
    assert steps[1].stretch is steps[2].stretch


def test_what_waited_before_the_start_is_expected_before_what_is_live() -> None:
    sequencer = Sequencer(PLENTY)
    sequencer.expect_spans([WindowSpan(RUN, 1, 0, 4 * 9)])
    sequencer.expect([WindowKey(RUN, 1, 4 * 20, 0.0)])
    assert len(sequencer.resolve([window(1, 20)])) == 1
    assert sequencer.expected_windows == 10
    for index in range(10):
        sequencer.resolve([window(1, index, was_spooled=True)])
    assert [place(step) for step in sequencer.take_steps()] == [*range(10), 20]


def test_a_quiet_lane_ends() -> None:
    now_s = 10.0
    sequencer = Sequencer(PLENTY, lambda: now_s)
    sequencer.expect([WindowKey(RUN, 1, 0, 0.0), WindowKey(RUN, 2, 0, 0.0)])
    sequencer.resolve([window(1, 0)])
    now_s = 20.0
    sequencer.end_quiet(15.0)
    first, end = sequencer.take_steps()
    assert first.window is not None
    assert end.window is None
    assert sequencer.expected_windows == 1, "the other is still waited for"


def test_at_the_end_all_that_is_held_is_passed_on() -> None:
    sequencer = Sequencer(PLENTY)
    sequencer.expect([WindowKey(RUN, 1, index * 4, 0.0) for index in range(6)])
    for index in (1, 2, 4):
        sequencer.resolve([window(1, index)])
    sequencer.end_all()
    steps = sequencer.take_steps()
    assert [step.window is not None and place(step) for step in steps] == [1, 2, 4, False]
    assert sequencer.held_bytes == 0
