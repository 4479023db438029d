"""Windows lie on their grid, whatever the blocks and holes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.audio import Block, Window, cut_windows


def _ramp(frames: int, channels: int = 2) -> np.ndarray:
    return np.arange(frames, dtype=np.float32) + 1 + 10_000 * np.arange(channels, dtype=np.float32)[:, None]


def _blocks(samples: np.ndarray, cuts: list[int], start: int = 0) -> Iterator[Block]:
    edges = [0, *sorted(cut for cut in cuts if cut < samples.shape[1]), samples.shape[1]]
    for begin, end in pairwise(edges):
        yield Block(start + begin, samples[:, begin:end])


@given(
    frames=st.integers(0, 300),
    cuts=st.lists(st.integers(0, 300), max_size=20),
    window=st.integers(1, 60),
    hop=st.integers(1, 80),
    holes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=4),
)
def test_every_whole_window_of_the_grid_that_touches_no_hole_is_cut(
    frames: int, cuts: list[int], window: int, hop: int, holes: list[tuple[int, int]]
) -> None:
    samples = _ramp(frames)
    ranges = [(start, start + length) for start, length in holes]
    found = list(cut_windows(_blocks(samples, cuts), window_frames=window, hop_frames=hop, holes=ranges))
    touched = {frame for start, end in ranges for frame in range(start, end)}
    expected = [
        start
        for start in range(0, max(frames - window + 1, 0), hop)
        if touched.isdisjoint(range(start, start + window))
    ]
    short = 0 < frames < window
    if short and touched.isdisjoint(range(frames)):
        expected = [0]
    assert [cut.start_frame for cut in found] == expected
    for cut in found:
        assert cut.samples.shape == (2, window)
        assert cut.samples.dtype == np.float32
        whole = samples[:, cut.start_frame : cut.start_frame + window]
        np.testing.assert_array_equal(cut.samples[:, : whole.shape[1]], whole)
        assert not cut.samples[:, whole.shape[1] :].any()


@given(start=st.integers(0, 1000), frames=st.integers(1, 200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_a_stream_that_begins_later_keeps_to_the_same_grid(start: int, frames: int, cuts: list[int]) -> None:
    found = list(cut_windows(_blocks(_ramp(frames), cuts, start), window_frames=20, hop_frames=10))
    expected = [frame for frame in range(0, start + frames - 19, 10) if frame >= start]
    if not expected and frames < 20 and start % 10 == 0:
        expected = [start]
    assert [cut.start_frame for cut in found] == expected


def test_frames_between_two_blocks_are_a_hole() -> None:
    blocks = [Block(0, _ramp(25)), Block(38, _ramp(22))]
    assert [cut.start_frame for cut in cut_windows(blocks, window_frames=10, hop_frames=5)] == [
        0,
        5,
        10,
        15,
        40,
        45,
        50,
    ]


def test_windows_are_their_own() -> None:
    samples = _ramp(40)
    one, two = list(cut_windows([Block(0, samples)], window_frames=20, hop_frames=10))[:2]
    one.samples[:] = 0
    np.testing.assert_array_equal(two.samples, samples[:, 10:30])
    np.testing.assert_array_equal(samples, _ramp(40))


def test_memory_is_bounded_by_a_window_and_a_block() -> None:
    held = []

    def endless() -> Iterator[Block]:
        for number in range(2000):
            yield Block(number * 100, np.zeros((1, 100), np.float32))

    cutter = cut_windows(endless(), window_frames=1000, hop_frames=500)
    for window in cutter:
        assert isinstance(window, Window)
        tail = cutter.gi_frame.f_locals["tail"]  # type: ignore[attr-defined]
        held.append(tail.end - tail.start)
    assert max(held) <= 2 * 1000 + 100


@pytest.mark.parametrize(("window", "hop"), [(0, 1), (1, 0), (-1, 5)])
def test_lengths_below_one_frame_are_refused(window: int, hop: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        list(cut_windows([], window_frames=window, hop_frames=hop))


def test_blocks_that_overlap_or_change_their_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="before the one before it ends"):
        list(cut_windows([Block(0, _ramp(10)), Block(9, _ramp(10))], window_frames=5, hop_frames=5))
    with pytest.raises(ValueError, match="channels"):
        list(cut_windows([Block(0, _ramp(10)), Block(10, _ramp(10, 3))], window_frames=5, hop_frames=5))
