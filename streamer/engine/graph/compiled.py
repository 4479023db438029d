"""The process callbacks, compiled once a process and given to JACK (or our clock) by address.

They resolve buffers, copy and count; no Python, no lock, no allocation, no system call. They are compiled anew in each
process, in a second or two: numba's cache on disk would be pickles, which are code to whoever loads them.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any

from streamer.engine.graph.blocks import (
    C_CALLS,
    C_CLIENT,
    C_EXTENDED,
    C_FRAME_TIME,
    C_FRAMES,
    C_GET_BUFFER,
    C_HEAD,
    C_HELD,
    C_MICROSECONDS,
    C_OFFSET,
    L_EVENT,
    L_LOST,
    L_ONE,
    L_REASON,
    L_REASON_BYTES,
    L_STRNCPY,
    L_WORDS,
    L_WRITE,
    P_COUNT,
    P_TABLE,
)
from streamer.engine.graph.play_kernel import play_kernel
from streamer.engine.graph.record_kernel import record_kernel
from streamer.engine.rings.native import load_numba, native

_compiling = threading.Lock()


@dataclass(frozen=True)
class Compiled:
    """Addresses of C functions, and the same functions for other compiled code.

    Attributes:
        play_callback, record_callback: ``int (uint32 frames, void *block)``, JACK's process callbacks.
        xrun_callback: ``int (void *word)`` adds one to an int64.
        shutdown_callback: ``void (int status, const char *reason, void *block)`` says that JACK is gone.
        play_client, record_client: numba functions ``(address of a client's block, frames)``.
    """

    play_callback: int
    record_callback: int
    xrun_callback: int
    shutdown_callback: int
    play_client: Any
    record_client: Any
    kept: tuple[Any, ...]


def compiled() -> Compiled:
    """The callbacks; the first call of a process compiles them, which takes a second or two."""
    with _compiling:
        return _compile()


@functools.cache
def _compile() -> Compiled:
    numba = load_numba()
    import numpy as np

    n: Any = native()
    words_at, fence, call1, call3 = n.words_at, n.fence, n.call1, n.call3
    play, record = play_kernel(), record_kernel()

    @numba.njit("int64(int64, int64)")  # type: ignore[untyped-decorator]
    def begin_cycle(address: int, frames: int) -> int:
        """Our jack frame of this cycle's first frame."""
        b = numba.carray(words_at(address), C_HEAD)
        # JACK counts in 32 bits: take the nearest frame that has these lower bits.
        step = (call1(b[C_FRAME_TIME], b[C_CLIENT]) - b[C_EXTENDED]) & 0xFFFFFFFF
        step = (step ^ 0x80000000) - 0x80000000
        b[C_EXTENDED] += step
        if frames != b[C_FRAMES] and b[C_FRAMES] != 0 and step == frames:
            # After a change of the block size JACK counts the last cycle of the old size as one of the new.
            b[C_OFFSET] += b[C_FRAMES] - frames
        b[C_FRAMES] = frames
        return int(b[C_OFFSET] + b[C_EXTENDED])

    @numba.njit("void(int64, int64)")  # type: ignore[untyped-decorator]
    def play_client(address: int, frames: int) -> None:
        now = begin_cycle(address, frames)
        b = numba.carray(words_at(address), P_TABLE)
        microseconds = call1(b[C_MICROSECONDS], b[C_CLIENT])
        players = numba.carray(words_at(address + P_TABLE * 8), b[P_COUNT])
        for index in range(b[P_COUNT]):
            player = players[index]
            if player != 0:
                play(player, b[C_GET_BUFFER], frames, now, microseconds, b[C_HELD])
        fence()
        b[C_CALLS] += 1

    @numba.njit("void(int64, int64)")  # type: ignore[untyped-decorator]
    def record_client(address: int, frames: int) -> None:
        now = begin_cycle(address, frames)
        b = numba.carray(words_at(address), C_HEAD)
        record(address, b[C_GET_BUFFER], frames, now, call1(b[C_MICROSECONDS], b[C_CLIENT]))
        fence()
        b[C_CALLS] += 1

    def play_callback(frames: Any, block: Any) -> int:
        play_client(numba.carray(block, 1, np.int64).ctypes.data, frames)
        return 0

    def record_callback(frames: Any, block: Any) -> int:
        record_client(numba.carray(block, 1, np.int64).ctypes.data, frames)
        return 0

    def xrun_callback(word: Any) -> int:
        numba.carray(word, 1, np.int64)[0] += 1
        return 0

    def shutdown_callback(_status: int, reason: int, block: Any) -> None:
        b = numba.carray(block, L_WORDS, np.int64)
        if b[L_LOST] == 0 and reason != 0:
            call3(b[L_STRNCPY], b[L_REASON:].ctypes.data, reason, L_REASON_BYTES)
        b[L_LOST] = 1
        call3(b[L_WRITE], b[L_EVENT], b[L_ONE:].ctypes.data, 8)

    process = "int32(uint32, voidptr)"
    callbacks = (
        numba.cfunc(process)(play_callback),
        numba.cfunc(process)(record_callback),
        numba.cfunc("int32(voidptr)")(xrun_callback),
        numba.cfunc("void(int32, int64, voidptr)")(shutdown_callback),
    )
    return Compiled(
        play_callback=callbacks[0].address,
        record_callback=callbacks[1].address,
        xrun_callback=callbacks[2].address,
        shutdown_callback=callbacks[3].address,
        play_client=play_client,
        record_client=record_client,
        kept=(callbacks, play_client, record_client),
    )
