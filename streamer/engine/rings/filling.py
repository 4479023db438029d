"""A pipe read straight into a source's ring, without Python's lock: busy threads cannot starve a source.

A feeder that holds a Python thread comes to its turn every 5 ms for each busy thread of the process, for each call
that lets go of the lock. Here it needs it once a call of ``fill``, of half a second or more.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streamer.engine.rings.layout import (
    DATA_OFFSET,
    W_CAPACITY,
    W_CHANNELS,
    W_CLAIMED,
    W_INTERRUPT,
    W_PLAYED,
    W_WRITTEN,
    WORDS,
)
from streamer.engine.rings.native import c_function, callable_at, load_numba, native
from tidzam_platform.errors import AudioGraphError

if TYPE_CHECKING:
    from streamer.engine.rings.source_ring import SourceRing

# Words of the block that the compiled function works on.
_RING, _DESCRIPTOR, _PARTIAL, _DEADLINE_NS, _FRAMES, _ENDED, _ERRNO = range(7)
_POLL, _READ, _CLOCK, _SLEEP, _ERRNO_AT, _SCRATCH = range(7, 13)
_BLOCK: Final = 16

_LARGEST_READ: Final = 1 << 18  # bytes; what is claimed for it is lost to slow readers of the ring
_POLL_MS: Final = 50  # so soon an interrupt is seen
_NO_ROOM_US: Final = 20_000
_POLLIN: Final = 1
_MONOTONIC: Final = time.CLOCK_MONOTONIC
_EINTR: Final = errno.EINTR
_EAGAIN: Final = errno.EAGAIN


def fill(ring: SourceRing, descriptor: int, partial_bytes: int, wait_s: float) -> tuple[int, int, bool]:
    """See ``SourceRing.fill_from``; returns frames, bytes of an unfinished frame, and whether the pipe has ended."""
    run, block = _compiled(), np.zeros(_BLOCK, np.int64)
    block[_RING], block[_DESCRIPTOR], block[_PARTIAL] = ring.address(), descriptor, partial_bytes
    block[_DEADLINE_NS] = time.monotonic_ns() + round(wait_s * 1e9)
    block[[_POLL, _READ, _CLOCK, _SLEEP, _ERRNO_AT]] = _c_functions()
    run(int(block.ctypes.data))
    if block[_ERRNO]:
        raise AudioGraphError(
            f"the pipe of the source {ring.name!r} cannot be read: {os.strerror(int(block[_ERRNO]))}"
        )
    return int(block[_FRAMES]), int(block[_PARTIAL]), bool(block[_ENDED])


@functools.cache
def _c_functions() -> list[int]:
    libc = ctypes.CDLL(None)
    errno_at = "__errno_location" if hasattr(libc, "__errno_location") else "__error"
    return [c_function(name) for name in ("poll", "read", "clock_gettime", "usleep", errno_at)]


@functools.cache
def _compiled() -> Callable[[int], int]:
    """The loop, compiled at its first use in a process."""
    numba = load_numba()

    n: Any = native()
    words_at, ints_at, fence, as_int = n.words_at, n.ints_at, n.fence, n.as_int
    call1, call2, call3 = n.call1, n.call2, n.call3

    def run(address: int) -> int:
        b = numba.carray(words_at(address), _BLOCK)
        base = b[_RING]
        ring = numba.carray(words_at(base), WORDS)
        scratch = address + _SCRATCH * 8
        pair = numba.carray(words_at(scratch), 2)
        poll = numba.carray(ints_at(scratch), 2)
        capacity = ring[W_CAPACITY]
        frame_bytes = ring[W_CHANNELS] * 4
        largest = max(1, _LARGEST_READ // frame_bytes)
        while True:
            if ring[W_INTERRUPT] != 0:
                ring[W_INTERRUPT] = 0
                return 0
            call2(b[_CLOCK], _MONOTONIC, scratch)
            left_ns = b[_DEADLINE_NS] - (pair[0] * 1_000_000_000 + pair[1])
            if left_ns <= 0:
                return 0
            written = ring[W_WRITTEN]
            room = capacity - written + ring[W_PLAYED]
            fence()
            if room * 8 < capacity:  # wait for more: many small reads cost more than a few large ones
                call1(b[_SLEEP], min(_NO_ROOM_US, left_ns // 1000 + 1))
                continue
            poll[0], poll[1] = b[_DESCRIPTOR], _POLLIN
            if as_int(call3(b[_POLL], scratch, 1, min(_POLL_MS, left_ns // 1_000_000 + 1))) == 0:
                continue
            begin = written % capacity
            frames = min(room, capacity - begin, largest)
            if written + frames > ring[W_CLAIMED]:
                ring[W_CLAIMED] = written + frames
            fence()
            place = base + DATA_OFFSET + begin * frame_bytes + b[_PARTIAL]
            count = call3(b[_READ], b[_DESCRIPTOR], place, frames * frame_bytes - b[_PARTIAL])
            if count == 0:
                b[_ENDED] = 1
                return 0
            if count < 0:
                error = numba.carray(ints_at(n_errno(b[_ERRNO_AT])), 1)[0]
                if error in (_EINTR, _EAGAIN):
                    continue
                b[_ERRNO] = error
                return 0
            b[_PARTIAL] += count
            whole = b[_PARTIAL] // frame_bytes
            b[_PARTIAL] -= whole * frame_bytes
            b[_FRAMES] += whole
            fence()
            ring[W_WRITTEN] = written + whole

    call0 = n.call1

    @numba.njit("int64(int64)")  # type: ignore[untyped-decorator]
    def n_errno(function: int) -> Any:
        return call0(function, 0)  # it takes no argument; one more does no harm

    return callable_at(_keep(numba.cfunc("int64(int64)")(run)))


_kept: list[Any] = []


def _keep(compiled: Any) -> int:
    """Keep compiled code alive as long as the process; returns its address."""
    _kept.append(compiled)
    return int(compiled.address)
