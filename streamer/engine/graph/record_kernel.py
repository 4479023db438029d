"""Compiled: the buffers of the inputs into the channel rings, and the time in which nothing was computed.

JACK's frame time does not say how much time an xrun cost: it leaps by a number that is not that of the time lost, or
does not leap. So lateness is watched: what the system's clock says has passed, less the frames that were computed. Its
least value over seconds is steady (a late wake-up only adds to it); where it is larger after an xrun, a leap, a change
of the block size or a restart of JACK, that time was lost.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from streamer.engine.graph.blocks import R_HANDLES, R_RING, R_SLOTS, R_XRUNS_AT
from streamer.engine.graph.play_kernel import segment_writer
from streamer.engine.rings.layout import (
    DATA_OFFSET,
    SEGMENT_WORDS,
    SEGMENTS,
    SEGMENTS_OFFSET,
    W_CAPACITY,
    W_CLAIMED,
    W_CYCLE_FRAMES,
    W_CYCLES,
    W_LAST_SHIFT,
    W_LATE_BEFORE,
    W_LATE_NOW,
    W_MISSED,
    W_NEXT_JACK,
    W_PENDING,
    W_PENDING_FRAME,
    W_PENDING_LATE,
    W_RATE,
    W_SEGMENTS_WRITTEN,
    W_WINDOW,
    W_WRITTEN,
    W_XRUNS_SEEN,
    WORDS,
)
from streamer.engine.rings.native import load_numba, native

_SETTLED_CYCLES: Final = 32  # after an xrun: the first ones may be late themselves
_WINDOW_S: Final = 4
_TOLERANCE_FRAMES: Final = 48  # 1 ms: less is jitter


@functools.cache
def record_kernel() -> Any:
    """Compiled ``record(address of a recorder's block, get_buffer, frames, jack frame, microseconds)``."""
    numba = load_numba()

    n: Any = native()
    words_at, fence, copy, clear, call2 = n.words_at, n.fence, n.copy, n.clear, n.call2
    note = segment_writer()

    @numba.njit("void(int64, int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def count_lost_time(base: int, xruns: int, frames: int, now: int, microseconds: int) -> None:
        ring = numba.carray(words_at(base), WORDS)
        late = microseconds * ring[W_RATE] // 1_000_000 - now
        expected = ring[W_NEXT_JACK]
        if expected < 0:  # the first cycle
            note(base, 0, now, 0)
            ring[W_LAST_SHIFT] = now
            ring[W_LATE_BEFORE] = ring[W_LATE_NOW] = late
            ring[W_XRUNS_SEEN], ring[W_CYCLE_FRAMES] = xruns, frames
            return
        leap = now - expected
        changed = xruns != ring[W_XRUNS_SEEN] or frames != ring[W_CYCLE_FRAMES]
        if leap != 0:
            note(base, ring[W_WRITTEN], now, 0)
            ring[W_LAST_SHIFT] = now - ring[W_WRITTEN]
            ring[W_LATE_BEFORE] -= leap
            ring[W_LATE_NOW] -= leap
            ring[W_PENDING_LATE] -= leap
        if leap != 0 or changed:
            if ring[W_PENDING] == 0:
                ring[W_PENDING_FRAME], ring[W_PENDING_LATE] = ring[W_WRITTEN], late
            ring[W_PENDING] = _SETTLED_CYCLES
            ring[W_XRUNS_SEEN], ring[W_CYCLE_FRAMES] = xruns, frames
        if ring[W_PENDING] == 0:
            ring[W_LATE_NOW] = min(ring[W_LATE_NOW], late)
            ring[W_WINDOW] += frames
            if ring[W_WINDOW] >= _WINDOW_S * ring[W_RATE]:
                ring[W_LATE_BEFORE], ring[W_LATE_NOW], ring[W_WINDOW] = ring[W_LATE_NOW], late, 0
            return
        ring[W_PENDING_LATE] = min(ring[W_PENDING_LATE], late)
        ring[W_PENDING] -= 1
        lost = ring[W_PENDING_LATE] - min(ring[W_LATE_BEFORE], ring[W_LATE_NOW])
        if ring[W_PENDING] == 0 and lost > _TOLERANCE_FRAMES:
            ring[W_MISSED] += lost
            at = ring[W_PENDING_FRAME]
            newest = (ring[W_SEGMENTS_WRITTEN] - 1) % SEGMENTS * SEGMENT_WORDS
            table = numba.carray(words_at(base + SEGMENTS_OFFSET), SEGMENTS * SEGMENT_WORDS)
            at = max(at, table[newest])  # segments stay in order
            note(base, at, at + ring[W_LAST_SHIFT], lost)
            ring[W_LATE_BEFORE] = ring[W_LATE_NOW] = ring[W_PENDING_LATE]
            ring[W_WINDOW] = 0

    @numba.njit("void(int64, int64, int64, int64, int64)")  # type: ignore[untyped-decorator]
    def record(address: int, get_buffer: int, frames: int, now: int, microseconds: int) -> None:
        head = numba.carray(words_at(address), R_HANDLES)
        base, slots = head[R_RING], head[R_SLOTS]
        handles = numba.carray(words_at(address + R_HANDLES * 8), slots)
        ring = numba.carray(words_at(base), WORDS)
        capacity, written = ring[W_CAPACITY], ring[W_WRITTEN]
        xruns = numba.carray(words_at(head[R_XRUNS_AT]), 1)[0]
        count_lost_time(base, xruns, frames, now, microseconds)
        ring[W_CLAIMED] = written + frames
        fence()
        begin = written % capacity
        first = min(frames, capacity - begin)
        for slot in range(slots):
            if handles[slot] == 0:
                continue
            to = base + DATA_OFFSET + slot * capacity * 4
            buffer = call2(get_buffer, handles[slot], frames)
            if buffer != 0:
                copy(to + begin * 4, buffer, first * 4)
                copy(to, buffer + first * 4, (frames - first) * 4)
            else:
                clear(to + begin * 4, first * 4)
                clear(to, (frames - first) * 4)
        fence()
        ring[W_WRITTEN] = written + frames
        ring[W_NEXT_JACK] = now + frames
        ring[W_CYCLES] += 1

    return record
