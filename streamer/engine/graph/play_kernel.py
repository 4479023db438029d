"""Compiled: frames of a source's ring into the buffers of its ports.

A cycle is played whole or not at all, so that a source that dribbles gives one change of kind a cycle at most; only a
source that drains plays less.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from streamer.engine.graph.blocks import PLAYER_HANDLES, PLAYER_PORTS, PLAYER_RING
from streamer.engine.rings.frames import Playing, SegmentKind
from streamer.engine.rings.layout import (
    DATA_OFFSET,
    SEGMENT_WORDS,
    SEGMENTS,
    SEGMENTS_OFFSET,
    W_CAPACITY,
    W_CHANNELS,
    W_CYCLES,
    W_FLUSH_TO,
    W_LAST_KIND,
    W_LAST_SHIFT,
    W_MISSED,
    W_NEXT_JACK,
    W_NEXT_US,
    W_PLAYED,
    W_PLAYING,
    W_RATE,
    W_SEGMENTS_CLAIMED,
    W_SEGMENTS_WRITTEN,
    W_UNDERFLOW,
    W_WRITTEN,
    WORDS,
)
from streamer.engine.rings.native import load_numba, native

_ON: Final = int(Playing.ON)
_DRAINING: Final = int(Playing.DRAINING)
_STOPPED: Final = int(SegmentKind.STOPPED)
_AUDIO: Final = int(SegmentKind.AUDIO)
_UNDERFLOW: Final = int(SegmentKind.UNDERFLOW)
_MISSED: Final = int(SegmentKind.MISSED)
_TILE: Final = (
    64  # frames that are sorted into channels at a time: 64 channels of them stay in the nearest cache
)


@functools.cache
def segment_writer() -> Any:
    """Compiled ``note(ring base, a, b, c)``: a new row of the ring's table of segments."""
    numba = load_numba()

    n: Any = native()
    words_at, fence = n.words_at, n.fence

    @numba.njit("void(int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def note(base: int, first: int, second: int, third: int) -> None:
        ring = numba.carray(words_at(base), WORDS)
        table = numba.carray(words_at(base + SEGMENTS_OFFSET), SEGMENTS * SEGMENT_WORDS)
        count = ring[W_SEGMENTS_WRITTEN]
        ring[W_SEGMENTS_CLAIMED] = count + 1
        fence()
        row = (count % SEGMENTS) * SEGMENT_WORDS
        table[row], table[row + 1], table[row + 2] = first, second, third
        fence()
        ring[W_SEGMENTS_WRITTEN] = count + 1

    return note


@functools.cache
def play_kernel() -> Any:
    """Compiled ``play(address of a player's block, get_buffer, frames, jack frame, microseconds, held)``."""
    numba = load_numba()

    n: Any = native()
    words_at, floats_at, fence, copy, clear, call2 = (
        n.words_at,
        n.floats_at,
        n.fence,
        n.copy,
        n.clear,
        n.call2,
    )
    note = segment_writer()

    @numba.njit("void(int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def change(base: int, kind: int, jack: int, source: int) -> None:
        ring = numba.carray(words_at(base), WORDS)
        moved = kind == _AUDIO and ring[W_LAST_SHIFT] != source - jack
        if ring[W_LAST_KIND] != kind or moved:
            note(base, jack, source, kind)
            ring[W_LAST_KIND] = kind
            ring[W_LAST_SHIFT] = source - jack

    @numba.njit("void(int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def deinterleave(player: int, base: int, first: int, count: int) -> None:
        ring = numba.carray(words_at(base), WORDS)
        channels, capacity = ring[W_CHANNELS], ring[W_CAPACITY]
        block = numba.carray(words_at(player), PLAYER_HANDLES + 2 * channels)
        samples = numba.carray(floats_at(base + DATA_OFFSET), channels * capacity)
        buffers = PLAYER_HANDLES + channels
        done = 0
        while done < count:
            begin = (first + done) % capacity
            tile = min(_TILE, count - done, capacity - begin)
            for channel in range(channels):
                if block[buffers + channel] == 0:
                    continue
                to = numba.carray(floats_at(block[buffers + channel] + done * 4), tile)
                at = begin * channels + channel
                for k in range(tile):
                    to[k] = samples[at]
                    at += channels
            done += tile

    @numba.njit("void(int64, int64, int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def play(player: int, get_buffer: int, frames: int, now: int, microseconds: int, held: int) -> None:
        head = numba.carray(words_at(player), PLAYER_HANDLES)
        base, ports = head[PLAYER_RING], head[PLAYER_PORTS]
        block = numba.carray(words_at(player), PLAYER_HANDLES + 2 * ports)
        ring = numba.carray(words_at(base), WORDS)
        played = ring[W_PLAYED]
        expected = ring[W_NEXT_JACK]
        if expected >= 0 and now > expected:
            # The time that passed, not the frames: JACK's leap at an xrun is not of the time that was lost.
            late = (microseconds - ring[W_NEXT_US]) * ring[W_RATE] // 1_000_000
            ring[W_MISSED] += max(late, 0)
            change(base, _MISSED, expected, played)
        played = max(played, ring[W_FLUSH_TO])
        playing = ring[W_PLAYING]
        ready = ring[W_WRITTEN] - played
        fence()
        count = 0
        silence = _STOPPED
        if held != 0:
            silence = _MISSED
            ring[W_MISSED] += frames
        elif playing == _ON:
            if ready >= frames:
                count = frames
            else:
                silence = _UNDERFLOW
                ring[W_UNDERFLOW] += frames
        elif playing == _DRAINING:
            count = min(ready, frames)
        if count > 0:
            change(base, _AUDIO, now, played)
        if count < frames:
            change(base, silence, now + count, played + count)
        for port in range(ports):
            buffer = call2(get_buffer, block[PLAYER_HANDLES + port], frames)
            block[PLAYER_HANDLES + ports + port] = buffer
            if buffer != 0 and count < frames:
                clear(buffer + count * 4, (frames - count) * 4)
        if ports == 1:
            buffer = block[PLAYER_HANDLES + 1]
            begin = played % ring[W_CAPACITY]
            first = min(count, ring[W_CAPACITY] - begin)
            if buffer != 0:
                copy(buffer, base + DATA_OFFSET + begin * 4, first * 4)
                copy(buffer + first * 4, base + DATA_OFFSET, (count - first) * 4)
        else:
            deinterleave(player, base, played, count)
        fence()
        ring[W_PLAYED] = played + count
        ring[W_NEXT_JACK] = now + frames
        ring[W_NEXT_US] = microseconds + frames * 1_000_000 // ring[W_RATE]
        ring[W_CYCLES] += 1

    return play
