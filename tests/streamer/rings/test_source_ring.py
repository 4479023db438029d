"""The ring of a source: what is written comes out, once, in order, or is counted."""

from __future__ import annotations

import math
import os
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.rings import Anchor, RingFolder, SegmentKind, SourceReader, SourceRing
from tests.streamer.rings.played import Player, numbered
from tidzam_platform.errors import AudioGraphError, EngineUnavailableError

PERIOD = 256


@pytest.fixture
def ring(folder: RingFolder) -> SourceRing:
    return SourceRing.create(folder, "marsh", 3, seconds=0.5)


def test_what_is_written_can_be_read_in_another_mapping(ring: SourceRing) -> None:
    reader = SourceReader(SourceRing.open(ring.path))
    data = numbered(0, 1000, 3)
    assert ring.write(data) == 1000
    first, second = reader.read(300), reader.read(5000)
    assert (first.first_frame, second.first_frame, reader.available) == (0, 300, 0)
    np.testing.assert_array_equal(np.concatenate((first.data, second.data)), data)
    assert reader.lost_frames == 0
    assert len(reader.read(10).data) == 0


def test_a_full_ring_takes_no_more_and_counts_only_what_is_dropped(ring: SourceRing) -> None:
    data = numbered(0, ring.capacity_frames + 100, 3)
    assert ring.write(data) == ring.capacity_frames
    assert (ring.room(), ring.overflow_frames) == (0, 0)
    assert ring.write(data[:50], drop=True) == 0
    assert ring.overflow_frames == 50
    assert ring.waiting_frames == ring.capacity_frames


def test_a_ring_opened_by_a_reader_cannot_be_written(ring: SourceRing) -> None:
    with pytest.raises(ValueError, match="read-only"):
        SourceRing.open(ring.path).write(numbered(0, 1, 3))


def test_a_ring_that_was_let_go_of_is_gone_for_new_readers_and_readable_for_old_ones(
    ring: SourceRing,
) -> None:
    reader = SourceReader(SourceRing.open(ring.path), first_frame=0)
    ring.write(numbered(0, 10, 3))
    ring.close()
    assert ring.is_closed
    np.testing.assert_array_equal(reader.read(100).data, numbered(0, 10, 3))
    with pytest.raises(EngineUnavailableError, match="gone"):
        SourceRing.open(ring.path)


def test_a_file_that_is_no_ring_is_refused(tmp_path: Path, ring: SourceRing) -> None:
    path = tmp_path / "ring"
    path.write_bytes(b"")
    with pytest.raises(AudioGraphError, match="too short"):
        SourceRing.open(path)
    whole = bytearray(ring.path.read_bytes())
    whole[0] ^= 1
    path.write_bytes(whole)
    with pytest.raises(AudioGraphError, match="restart the engine"):
        SourceRing.open(path)
    whole[0] ^= 1
    path.write_bytes(whole[:-4096])
    with pytest.raises(AudioGraphError, match="restart the engine"):
        SourceRing.open(path)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "play", "read", "bytes"]), st.integers(1, 9000)),
        min_size=5,
        max_size=60,
    )
)
def test_whatever_the_order_of_writing_playing_and_reading_no_frame_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Wrap-around, partial frames, overtaken readers: what is read or played is right, and lost ones are counted."""
    channels, written, played, now, read = 2, 0, 0, 0, 0
    with (
        RingFolder(tmp_path_factory.mktemp("home")) as folder,
        SourceRing.create(folder, "a", channels, seconds=0.5) as ring,
    ):
        ring.playing = True
        reader, player = SourceReader(ring), Player(ring)
        partial = 0  # bytes of a frame that is not whole yet
        for what, size in steps:
            if what == "write" and not partial:
                written += ring.write(numbered(written, size, channels))
            elif what == "bytes":
                view = ring.byte_view()
                coming = numbered(written, size, channels).tobytes()[partial:]
                count = min(len(view), len(coming) - size % len(coming))
                view[:count] = coming[:count]
                frames, partial = divmod(partial + count, channels * 4)
                assert ring.commit_bytes(count) == frames
                written += frames
            elif what == "play":
                frames = min(size, 8192)
                sound = player.cycle(frames, now)
                now += frames
                if written - played >= frames:
                    np.testing.assert_array_equal(sound, numbered(played, frames, channels).T)
                    played += frames
                else:
                    assert not sound.any()
            else:
                samples = reader.read(size)
                read += samples.lost_frames
                assert samples.first_frame == read
                expected = numbered(read, len(samples.data), channels)
                np.testing.assert_array_equal(samples.data, expected)
                read += len(samples.data)
            assert (ring.written_frames, ring.played_frames) == (written, played)
            assert 0 <= ring.waiting_frames <= ring.capacity_frames
        assert reader.lost_frames <= written
        assert now == played + ring.underflow_frames


def test_partial_frames_from_a_pipe_keep_their_place(ring: SourceRing) -> None:
    data = numbered(0, 100, 3).tobytes()
    for begin in range(0, len(data), 7):
        piece = data[begin : begin + 7]
        view = ring.byte_view(max_frames=4)
        view[: len(piece)] = piece
        ring.commit_bytes(len(piece))
    np.testing.assert_array_equal(SourceReader(ring, first_frame=0).read(200).data, numbered(0, 100, 3))


def test_a_pipe_fills_the_ring_until_it_ends(ring: SourceRing) -> None:
    frames = ring.capacity_frames // 2
    data = numbered(0, frames, 3).tobytes() + b"xy"
    receiver, sender = os.pipe()
    with os.fdopen(receiver, "rb") as pipe:
        writing = threading.Thread(target=lambda: _write_all(sender, data))
        writing.start()
        filled = ring.fill_from(pipe.fileno(), 10.0)
        writing.join()
    assert filled == (frames, True)
    np.testing.assert_array_equal(SourceReader(ring, first_frame=0).read(frames).data, numbered(0, frames, 3))


def test_filling_waits_for_room_and_comes_back_in_time_or_when_interrupted(ring: SourceRing) -> None:
    ring.write(np.zeros((ring.capacity_frames, 3), np.float32))
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123 - a descriptor that always has bytes
        assert ring.fill_from(endless.fileno(), 0.05) == (0, False)
        ring.interrupt()
        assert ring.fill_from(endless.fileno(), 600.0) == (0, False)
        interrupter = threading.Timer(0.1, ring.interrupt)
        interrupter.start()
        assert ring.fill_from(endless.fileno(), 600.0) == (0, False)
        interrupter.join()
    ring.finish()
    Player(ring).cycle(8192, 0)
    with pytest.raises(AudioGraphError, match="'marsh' cannot be read"):
        ring.fill_from(10_000, 600.0)


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


@settings(max_examples=100, deadline=None)
@given(
    anchors=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 2**61)), max_size=150),
    frames=st.lists(st.integers(0, 40_000), min_size=1, max_size=20),
)
def test_utc_of_a_frame_is_that_of_the_last_anchor_before_it(
    tmp_path_factory: pytest.TempPathFactory, anchors: list[tuple[int, int]], frames: list[int]
) -> None:
    with (
        RingFolder(tmp_path_factory.mktemp("home")) as folder,
        SourceRing.create(folder, "a", 1, seconds=0.5) as ring,
    ):
        at, made = 0, []
        for step, utc_ns in anchors:
            at += step
            ring.set_anchor(utc_ns, at)
            made.append(Anchor(at, utc_ns))
        assert ring.anchors_kept() == made[-64:]
        for frame in frames:
            before = [anchor for anchor in made[-64:] if anchor.frame <= frame]
            if not before:
                assert ring.utc_ns_of(frame) is None
                continue
            exact = before[-1].utc_ns + Fraction((frame - before[-1].frame) * 10**9, 48_000)
            assert ring.utc_ns_of(frame) == math.floor(exact)
            assert ring.anchor_of(frame) == before[-1]


def test_an_anchor_is_of_the_next_frame_unless_told(ring: SourceRing) -> None:
    ring.write(numbered(0, 48, 3))
    ring.set_anchor(1_000_000_000)
    assert ring.utc_ns_of(48) == 1_000_000_000
    assert ring.utc_ns_of(96) == 1_001_000_000
    assert ring.utc_ns_of(47) is None


def test_silence_before_playing_and_after_the_end_is_no_underflow(ring: SourceRing) -> None:
    player = Player(ring)
    assert not player.cycle(PERIOD, 0).any()
    assert ring.underflow_frames == 0
    ring.write(numbered(1, PERIOD + 10, 3))
    ring.playing = True
    np.testing.assert_array_equal(player.cycle(PERIOD, PERIOD), numbered(1, PERIOD, 3).T)
    # Too little for a cycle: all of it is silent, and the frames wait.
    assert not player.cycle(PERIOD, 2 * PERIOD).any()
    assert (ring.underflow_frames, ring.waiting_frames) == (PERIOD, 10)
    ring.finish()
    last = player.cycle(PERIOD, 3 * PERIOD)
    np.testing.assert_array_equal(last[:, :10], numbered(1 + PERIOD, 10, 3).T)
    assert not last[:, 10:].any()
    assert not player.cycle(PERIOD, 4 * PERIOD).any()
    assert ring.underflow_frames == PERIOD
    assert [tuple(segment) for segment in ring.segments_kept()] == [
        (0, 0, SegmentKind.STOPPED),
        (PERIOD, 0, SegmentKind.AUDIO),
        (2 * PERIOD, PERIOD, SegmentKind.UNDERFLOW),
        (3 * PERIOD, PERIOD, SegmentKind.AUDIO),
        (3 * PERIOD + 10, PERIOD + 10, SegmentKind.STOPPED),
    ]


def test_a_seek_skips_what_was_not_played(ring: SourceRing) -> None:
    player = Player(ring)
    ring.playing = True
    ring.write(numbered(0, 1000, 3))
    player.cycle(PERIOD, 0)
    ring.flush()
    ring.write(numbered(5000, 1000, 3))
    np.testing.assert_array_equal(player.cycle(PERIOD, PERIOD), numbered(5000, PERIOD, 3).T)
    assert ring.played_frames == 1000 + PERIOD
    assert ring.underflow_frames == 0
    assert [tuple(segment) for segment in ring.segments_kept()] == [
        (0, 0, SegmentKind.AUDIO),
        (PERIOD, 1000, SegmentKind.AUDIO),
    ]


def test_cycles_that_did_not_come_are_counted_as_missed(ring: SourceRing) -> None:
    player = Player(ring)
    ring.playing = True
    ring.write(numbered(0, 2000, 3))
    player.cycle(PERIOD, 0)
    player.cycle(PERIOD, 10 * PERIOD)
    assert ring.missed_frames == 9 * PERIOD
    assert [tuple(segment) for segment in ring.segments_kept()] == [
        (0, 0, SegmentKind.AUDIO),
        (PERIOD, PERIOD, SegmentKind.MISSED),
        (10 * PERIOD, PERIOD, SegmentKind.AUDIO),
    ]


def test_a_source_that_is_held_keeps_its_frames(ring: SourceRing) -> None:
    player = Player(ring)
    ring.playing = True
    ring.write(numbered(0, 2000, 3))
    player.cycle(PERIOD, 0)
    assert not player.cycle(PERIOD, PERIOD, held=True).any()
    np.testing.assert_array_equal(player.cycle(PERIOD, 2 * PERIOD), numbered(PERIOD, PERIOD, 3).T)
    assert (ring.missed_frames, ring.underflow_frames) == (PERIOD, 0)
    assert [segment.kind for segment in ring.segments_kept()] == [
        SegmentKind.AUDIO,
        SegmentKind.MISSED,
        SegmentKind.AUDIO,
    ]


@pytest.mark.parametrize("channels", [1, 2, 5, 64])
def test_each_channel_goes_to_its_own_port(folder: RingFolder, channels: int) -> None:
    with SourceRing.create(folder, "wide", channels, seconds=0.5) as ring:
        ring.playing = True
        player = Player(ring)
        for cycle in range(40):  # more than once around
            ring.write(numbered(cycle * 1000, 1000, channels))
            np.testing.assert_array_equal(
                player.cycle(1000, cycle * 1000), numbered(cycle * 1000, 1000, channels).T
            )
        assert ring.underflow_frames == 0


def test_a_ring_of_no_channel_or_no_time_is_refused(folder: RingFolder) -> None:
    for channels, seconds in ((0, 4.0), (1, 0.1)):
        with pytest.raises(AudioGraphError, match="wants a channel"):
            SourceRing.create(folder, "marsh", channels, seconds=seconds)
