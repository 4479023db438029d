"""Live windows are those that a file gives: the same grid, the same samples, the same ones left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.hearing import Cause
from streamer.analyzer.hearing.cutter import Cut, RunCutter
from streamer.analyzer.windows import Geometry, Run
from tidzam_platform.audio import Window, cut_windows
from tidzam_platform.audio.blocks import Block

CHANNELS = 2


def run_of(window: int, hop: int) -> Run:
    return Run("marsh", 0, Geometry(48_000, window, hop))


def samples(begin: int, end: int) -> np.ndarray:
    return (np.arange(begin, end) * CHANNELS + np.arange(CHANNELS)[:, None] + 1).astype(np.float32)


def row_of(cut: Cut) -> Window:
    rows = np.full((CHANNELS, cut.run.geometry.window_frames), np.nan, np.float32)
    cut.write(rows[:1], 0)
    cut.write(rows[1:], 1)
    return Window(cut.start_frame, rows)


def cut_live(
    blocks: list[tuple[int, int]], window: int, hop: int, *, first_frame: int = 0, is_whole: bool = True
) -> tuple[list[Window], RunCutter]:
    """Windows of blocks ``[begin, end)`` of frames; the last one ends the run, if ``is_whole``."""
    cutter = RunCutter(run_of(window, hop), first_frame)
    found = []
    for begin, end in blocks:
        cutter.append(begin, samples(begin, end), Cause.MISSED)
        found += [row_of(cut) for cut in cutter.windows()]
    last = cutter.finish(cutter.end if is_whole else None, Cause.MISSED)
    return [*found, row_of(last)] if last else found, cutter


@st.composite
def broken_blocks(draw: st.DrawFn) -> list[tuple[int, int]]:
    found, at = [], draw(st.sampled_from([0, 0, 0, 7]))
    for length, gap in draw(
        st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0, 0, 0, 1, 9, 60])), max_size=20)
    ):
        found.append((at, at + length))
        at += length + gap
    return found


@given(broken_blocks(), st.integers(1, 30), st.integers(1, 40))
def test_the_windows_are_those_of_cut_windows(blocks: list[tuple[int, int]], window: int, hop: int) -> None:
    first_frame = blocks[0][0] if blocks else 0
    live, _ = cut_live(blocks, window, hop, first_frame=first_frame)
    files = list(
        cut_windows(
            [Block(begin, samples(begin, end)) for begin, end in blocks], window_frames=window, hop_frames=hop
        )
    )
    # Audio that is shorter than a window is no run of its own where it does not begin at an anchor.
    if first_frame and blocks and blocks[-1][1] - first_frame < window:
        files = []
    assert [one.start_frame for one in live] == [one.start_frame for one in files]
    for one, other in zip(live, files, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@given(broken_blocks(), st.integers(1, 30), st.integers(1, 40), st.integers(0, 100))
def test_each_window_of_the_run_is_cut_or_counted(
    blocks: list[tuple[int, int]], window: int, hop: int, more: int
) -> None:
    cutter = RunCutter(run_of(window, hop), 0)
    count = 0
    for begin, end in blocks:
        cutter.append(begin, samples(begin, end), Cause.LOST)
        count += len(list(cutter.windows()))
    end_frame = cutter.end + more
    last = cutter.finish(end_frame, Cause.LOST)
    all_of_it = len(range(0, end_frame - window + 1, hop))
    if all_of_it:
        assert last is None
        assert count + cutter.left_out[Cause.LOST] == all_of_it
    assert set(cutter.left_out) <= {Cause.LOST}


def test_what_is_heard_from_the_middle_on_is_not_left_out() -> None:
    found, cutter = cut_live([(25, 60)], 10, 10, first_frame=25)
    assert [one.start_frame for one in found] == [30, 40, 50]
    assert not cutter.left_out


def test_a_run_that_is_missed_at_its_beginning_counts_from_there() -> None:
    found, cutter = cut_live([(25, 60)], 10, 10)
    assert [one.start_frame for one in found] == [30, 40, 50]
    assert cutter.left_out == {Cause.MISSED: 3}


@pytest.mark.parametrize(
    ("blocks", "first_frame", "is_whole", "expected"),
    [
        ([(0, 4), (4, 7)], 0, True, [0]),
        ([(0, 4), (4, 7)], 0, False, []),
        ([(0, 4), (5, 7)], 0, True, []),
        ([(3, 7)], 3, True, []),
        ([(0, 10)], 0, True, [0]),
        ([(0, 12)], 0, True, [0]),
    ],
)
def test_what_is_shorter_than_a_window_gives_one_if_all_of_it_was_heard(
    blocks: list[tuple[int, int]], first_frame: int, is_whole: bool, expected: list[int]
) -> None:
    found, _ = cut_live(blocks, 10, 5, first_frame=first_frame, is_whole=is_whole)
    assert [one.start_frame for one in found] == expected
    if expected and blocks[-1][1] < 10:
        np.testing.assert_array_equal(found[0].samples[:, :7], samples(0, 7))
        assert not found[0].samples[:, 7:].any()


def test_nothing_is_heard_twice() -> None:
    cutter = RunCutter(run_of(10, 10), 0)
    cutter.append(0, samples(0, 15), Cause.LOST)
    cutter.append(5, samples(5, 20), Cause.LOST)
    cutter.append(3, samples(3, 9), Cause.LOST)
    found = [row_of(cut) for cut in cutter.windows()]
    assert [one.start_frame for one in found] == [0, 10]
    np.testing.assert_array_equal(found[1].samples, samples(10, 20))


@pytest.mark.parametrize(("window", "hop"), [(100, 50), (100, 700), (700, 100)])
def test_memory_is_bounded_by_window_and_hop(window: int, hop: int) -> None:
    cutter = RunCutter(run_of(window, hop), 0)
    most = 0
    for begin in range(0, 20_000, 37):
        cutter.append(begin, samples(begin, begin + 37), Cause.LOST)
        list(cutter.windows())
        most = max(most, sum(block.shape[1] for _, block in cutter._blocks))
    assert most <= window + 2 * 37


def test_channels_that_go_leave_the_others_their_samples() -> None:
    cutter = RunCutter(run_of(10, 10), 0)
    cutter.append(0, samples(0, 6), Cause.LOST)
    cutter.keep_rows([1])
    cutter.append(6, samples(6, 12)[1:], Cause.LOST)
    (cut,) = cutter.windows()
    rows = np.empty((1, 10), np.float32)
    cut.write(rows, 0)
    np.testing.assert_array_equal(rows, samples(0, 10)[1:])
