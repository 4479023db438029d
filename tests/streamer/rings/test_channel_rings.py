"""The rings of the channels: readers in any process get every frame or count it, and know when it was."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.rings import (
    BlockReader,
    ChannelReader,
    ChannelRings,
    ChannelSegment,
    RingFolder,
    Segment,
    SegmentKind,
    SlotTable,
    source_pieces,
)
from tests.streamer.rings.played import Recorder, numbered
from tidzam_platform.errors import AudioGraphError

PERIOD = 1024


def sound(first: int, frames: int, slots: int) -> np.ndarray:
    return numbered(first, frames, slots).T


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from("wwwrb"), st.integers(1, 8192)), min_size=5, max_size=80),
)
def test_readers_get_each_frame_or_count_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    written, next_frame, block_next = 0, 0, 0
    with (
        RingFolder(tmp_path_factory.mktemp("home")) as folder,
        ChannelRings.create(folder, 3, 0.5) as rings,
    ):
        recorder = Recorder(rings, 3)
        opened = ChannelRings.open(rings.path)
        reader, block = ChannelReader(opened, 1), BlockReader(opened, [2, 0])
        for what, size in steps:
            if what == "w":
                recorder.cycle(sound(written, size, 3), now=written)
                written += size
            elif what == "r":
                samples = reader.read(size)
                next_frame += samples.lost_frames
                assert samples.first_frame == next_frame
                np.testing.assert_array_equal(samples.data, sound(next_frame, len(samples.data), 3)[1])
                next_frame += len(samples.data)
            else:
                samples = block.read(size)
                block_next += samples.lost_frames
                frames = samples.data.shape[1]
                np.testing.assert_array_equal(samples.data, sound(block_next, frames, 3)[[2, 0]])
                block_next += frames
            for one in (reader, block):
                assert one.available == written - one.next_frame
                assert one.lost_frames == 0 or written > rings.capacity_frames
        assert reader.lost_frames + reader.available <= written


def test_a_reader_that_is_overtaken_counts_what_it_lost_and_goes_on(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1, 0.5) as rings:
        recorder, reader = Recorder(rings, 1), ChannelReader(rings, 0)
        frames = rings.capacity_frames * 3 // PERIOD * PERIOD
        for first in range(0, frames, PERIOD):
            recorder.cycle(sound(first, PERIOD, 1), first)
        samples = reader.read(frames)
        assert samples.lost_frames == samples.first_frame == reader.lost_frames
        assert samples.first_frame + len(samples.data) == frames
        assert len(samples.data) > rings.capacity_frames // 2
        np.testing.assert_array_equal(samples.data, sound(samples.first_frame, len(samples.data), 1)[0])


def test_what_is_overwritten_during_the_copy_is_lost_not_wrong(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1, 0.5) as rings:
        recorder, reader = Recorder(rings, 1), ChannelReader(rings, 0)
        for first in range(0, rings.capacity_frames, PERIOD):
            recorder.cycle(sound(first, PERIOD, 1), first)
        copy = reader._copy

        def slow_copy(first: int, frames: int) -> np.ndarray:
            copied = copy(first, frames)
            recorder.cycle(sound(rings.written_frames, PERIOD, 1), rings.written_frames)
            return copied

        reader._copy = slow_copy  # type: ignore[method-assign]
        samples = reader.read(rings.capacity_frames)
        assert samples.lost_frames == samples.first_frame == PERIOD
        np.testing.assert_array_equal(samples.data, sound(PERIOD, len(samples.data), 1)[0])


def test_readers_in_another_process_see_the_same(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 4, 0.5) as rings:
        recorder = Recorder(rings, 4)
        recorder.cycle(sound(0, PERIOD, 4), 0)
        program = (
            "import sys; from pathlib import Path; from streamer.engine.rings import *;"
            "rings = ChannelRings.open(Path(sys.argv[1]));"
            "print(ChannelReader(rings, 2, first_frame=0).read(5).data.tolist(), rings.segments_kept()[0].jack_frame)"
        )
        read = subprocess.run(
            [sys.executable, "-c", program, str(rings.path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert read.stdout.strip() == "[2.0, 6.0, 10.0, 14.0, 18.0] 0"


def test_a_slot_that_is_not_bound_is_not_written(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 3, 0.5) as rings:
        Recorder(rings, 2).cycle(sound(0, PERIOD, 2) + 1, 0)
        assert rings.data[1].any()
        assert not rings.data[2].any()


def test_memory_is_taken_slot_by_slot(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1000, 10) as rings:
        assert rings.path.stat().st_size > 1_900_000_000
        assert rings.path.stat().st_blocks * 512 < 1_000_000
        rings.reserve_slot(7)
        rings.reserve_slot(7)
        assert 1_900_000 < rings.path.stat().st_blocks * 512 < 3_000_000
        with pytest.raises(AudioGraphError, match="no slot 1000"):
            rings.reserve_slot(1000)


def test_a_leap_of_jacks_time_is_a_segment_and_what_it_cost_follows(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1, 0.5) as rings:
        recorder = Recorder(rings, 1)
        for cycle in (0, 1, *range(5, 5 + 40)):
            recorder.cycle(sound(0, PERIOD, 1), 5000 + cycle * PERIOD)
        assert rings.segments_kept() == [
            ChannelSegment(0, 5000, 0),
            ChannelSegment(2 * PERIOD, 5000 + 5 * PERIOD, 0),
            ChannelSegment(2 * PERIOD, 5000 + 5 * PERIOD, 3 * PERIOD),
        ]
        assert rings.missed_frames == 3 * PERIOD
        assert rings.jack_frame_of(2 * PERIOD - 1) == 5000 + 2 * PERIOD - 1
        assert rings.jack_frame_of(2 * PERIOD + 1) == 5001 + 5 * PERIOD
        assert rings.jack_frame_of(-1) is None


def test_a_leap_in_which_no_time_passed_costs_nothing(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1, 0.5) as rings:
        recorder = Recorder(rings, 1)
        for cycle in range(80):
            leap = 7000 if cycle >= 40 else 0
            recorder.cycle(
                sound(0, PERIOD, 1), cycle * PERIOD + leap, microseconds=cycle * PERIOD * 1_000_000 // 48_000
            )
        assert rings.missed_frames == 0
        assert rings.segments_kept() == [
            ChannelSegment(0, 0, 0),
            ChannelSegment(40 * PERIOD, 40 * PERIOD + 7000, 0),
        ]


@pytest.mark.parametrize("lost", [0, 3000])
def test_time_that_an_xrun_cost_is_measured_though_jacks_frames_go_on(folder: RingFolder, lost: int) -> None:
    """The dummy driver's frames do not jump: the clock says what passed. A late cycle that is caught up is no loss."""
    with ChannelRings.create(folder, 1, 2) as rings:
        recorder = Recorder(rings, 1)
        rng = np.random.default_rng(1)
        shift = 0
        for cycle in range(400):
            now = cycle * PERIOD
            late = int(rng.exponential(100))
            if cycle == 200:
                recorder.xruns.words[0] += 1
                shift, late = lost, 3000
            recorder.cycle(sound(0, PERIOD, 1), now, microseconds=(now + shift + late) * 1_000_000 // 48_000)
        if lost == 0:
            assert rings.segments_kept() == [ChannelSegment(0, 0, 0)]
            assert rings.missed_frames == 0
            return
        (_, second) = rings.segments_kept()
        assert second.ring_frame == second.jack_frame == 200 * PERIOD
        assert second.missed_frames == rings.missed_frames
        assert abs(rings.missed_frames - lost) < 48  # what the least lateness of some cycles says


@settings(max_examples=200, deadline=None)
@given(
    ring_steps=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 300)), min_size=1, max_size=8),
    source_steps=st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from(SegmentKind), st.integers(0, 50)),
        max_size=8,
    ),
    window=st.tuples(st.integers(0, 3000), st.integers(1, 2000)),
)
def test_pieces_tell_of_every_frame_what_the_tables_say(
    ring_steps: list[tuple[int, int]],
    source_steps: list[tuple[int, SegmentKind, int]],
    window: tuple[int, int],
) -> None:
    ring_frame, jack = 100, 1000
    channel = []
    for length, missed in ring_steps:
        jack += missed
        channel.append(ChannelSegment(ring_frame, jack, missed))
        ring_frame, jack = ring_frame + length, jack + length
    source, at, frame = [], 1050, 0
    for length, kind, skipped in source_steps:
        frame += skipped
        source.append(Segment(at, frame, kind))
        at += length
        frame += length if kind is SegmentKind.AUDIO else 0

    pieces = source_pieces(*window, channel, source)
    assert sum(piece.frames for piece in pieces) == window[1]
    assert pieces[0].ring_frame == window[0]
    assert all(one.ring_frame + one.frames == other.ring_frame for one, other in pairwise(pieces))
    for piece in pieces:
        for offset in {0, piece.frames - 1}:
            in_ring = [segment for segment in channel if segment.ring_frame <= piece.ring_frame + offset]
            if not in_ring:
                assert piece[2:] == (None, None, None)
                continue
            jack_frame = in_ring[-1].jack_frame + piece.ring_frame + offset - in_ring[-1].ring_frame
            assert piece.jack_frame is not None
            assert piece.jack_frame + offset == jack_frame
            in_source = [segment for segment in source if segment.jack_frame <= jack_frame]
            if not in_source:
                assert piece[3:] == (None, None)
                continue
            last = in_source[-1]
            assert piece.kind is last.kind
            moved = jack_frame - last.jack_frame if last.kind is SegmentKind.AUDIO else 0
            walked = offset if last.kind is SegmentKind.AUDIO else 0
            assert piece.source_frame is not None
            assert piece.source_frame + walked == last.source_frame + moved


def test_more_segments_than_the_table_holds_leave_the_newest(folder: RingFolder) -> None:
    with ChannelRings.create(folder, 1, 0.5) as rings:
        recorder = Recorder(rings, 1)
        for cycle in range(3000):
            recorder.cycle(sound(0, 8, 1), cycle * 100)
        kept = rings.segments_kept()
        assert len(kept) == 1024
        assert kept[0] == ChannelSegment((3000 - 1024) * 8, (3000 - 1024) * 100, 0)
        assert kept[-1] == ChannelSegment(2999 * 8, 2999 * 100, 0)


def test_a_slot_given_back_is_used_again_last() -> None:
    table = SlotTable(3)
    assert [table.take(name) for name in ("a:out_1", "a:out_2", "a:out_1")] == [0, 1, 0]
    table.give_back("a:out_1")
    assert table.slot_of("a:out_1") is None
    assert [table.take("b:out_1"), table.take("b:out_2")] == [2, 0]
    with pytest.raises(AudioGraphError, match="one channel too many"):
        table.take("b:out_3")
    assert table.taken == {"a:out_2": 1, "b:out_1": 2, "b:out_2": 0}
