"""Compiled: cycles of a graph of our own, in time or step by step, without Python's lock."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streamer.engine.graph.compiled import compiled
from streamer.engine.rings.native import callable_at, load_numba, native

# Words of the control block.
D_FRAME: Final = 0  # of the next cycle; what C_CLIENT points to, with the word after it
D_MICROSECONDS: Final = 1
D_PERIOD: Final = 2  # frames
D_RATE: Final = 3
D_PLAN: Final = 4  # address of the plan for the next cycle
D_CURRENT: Final = 5  # address of the plan of the cycle that runs, or ran last
D_STEPS: Final = 6  # cycles to run at once
D_NEXT_NS: Final = 7  # when the next cycle is due; 0: now
D_UNTIL_NS: Final = 8
D_STOP: Final = 9
D_XRUNS: Final = 10
D_CYCLES: Final = 11
D_CLOCK: Final = 12  # clock_gettime
D_SLEEP: Final = 13  # usleep
D_SCRATCH: Final = 14  # two words
D_WORDS: Final = 16

# A plan: counts, then addresses of clients that play, of clients that record, and for each input port
# its buffer, the number of outputs that it hears, and their buffers.
PLAN_HEAD: Final = 4  # players, recorders, inputs, words in all

LATE_NS: Final = 500_000_000  # so much is caught up; more is an xrun
_LONGEST_SLEEP_US: Final = 50_000
_MONOTONIC: Final = time.CLOCK_MONOTONIC


@dataclass(frozen=True)
class ClockCode:
    """``drive`` and ``step`` take the address of the control block; the others are what clients' blocks name."""

    drive: Callable[[int], int]
    step: Callable[[int], int]
    get_buffer: int
    frame_time: int
    microseconds: int
    kept: tuple[Any, ...]


@functools.cache
def clock_code() -> ClockCode:
    """Compiled at its first use in a process."""
    numba = load_numba()
    n: Any = native()
    words_at, floats_at, fence = n.words_at, n.floats_at, n.fence
    copy, clear, call1, call2 = n.copy, n.clear, n.call1, n.call2
    play_client, record_client = compiled().play_client, compiled().record_client

    @numba.njit("void(int64, int64)")  # type: ignore[untyped-decorator]
    def mix(entry: int, frames: int) -> None:
        head = numba.carray(words_at(entry), 2)
        outputs = numba.carray(words_at(entry + 16), head[1])
        if head[1] == 0:
            clear(head[0], frames * 4)
            return
        copy(head[0], outputs[0], frames * 4)
        to = numba.carray(floats_at(head[0]), frames)
        for index in range(1, head[1]):
            more = numba.carray(floats_at(outputs[index]), frames)
            for k in range(frames):
                to[k] += more[k]

    @numba.njit("void(int64)")  # type: ignore[untyped-decorator]
    def cycle(control: int) -> None:
        c = numba.carray(words_at(control), D_WORDS)
        address = c[D_PLAN]
        c[D_CURRENT] = address
        fence()
        frames = c[D_PERIOD]
        head = numba.carray(words_at(address), PLAN_HEAD)
        plan = numba.carray(words_at(address), head[3])
        at = PLAN_HEAD
        for _ in range(head[0]):
            play_client(plan[at], frames)
            at += 1
        recorders = at
        at += head[1]
        for _ in range(head[2]):
            mix(address + at * 8, frames)
            at += 2 + plan[at + 1]
        for index in range(head[1]):
            record_client(plan[recorders + index], frames)
        c[D_FRAME] += frames
        c[D_CYCLES] += 1

    def step(control: int) -> int:
        c = numba.carray(words_at(control), D_WORDS)
        for _ in range(c[D_STEPS]):
            c[D_MICROSECONDS] = c[D_FRAME] * 1_000_000 // c[D_RATE]
            cycle(control)
        return 0

    def drive(control: int) -> int:
        c = numba.carray(words_at(control), D_WORDS)
        scratch = control + D_SCRATCH * 8
        while c[D_STOP] == 0:
            call2(c[D_CLOCK], _MONOTONIC, scratch)
            now = c[D_SCRATCH] * 1_000_000_000 + c[D_SCRATCH + 1]
            if now >= c[D_UNTIL_NS]:
                return 0
            if c[D_NEXT_NS] == 0:
                c[D_NEXT_NS] = now
            early = c[D_NEXT_NS] - now
            if early > 0:
                call1(c[D_SLEEP], min(early // 1000 + 1, _LONGEST_SLEEP_US))
                continue
            if early < -LATE_NS:
                missed = -early * c[D_RATE] // 1_000_000_000
                c[D_XRUNS] += 1
                c[D_FRAME] += missed
                c[D_NEXT_NS] = now
            c[D_MICROSECONDS] = now // 1000
            cycle(control)
            c[D_NEXT_NS] += c[D_PERIOD] * 1_000_000_000 // c[D_RATE]
        return 0

    def get_buffer(port: int, _frames: int) -> int:
        return port

    def frame_time(clock: int) -> int:
        return int(numba.carray(words_at(clock), 2)[D_FRAME] & 0xFFFFFFFF)  # JACK's has 32 bit

    def microseconds(clock: int) -> int:
        return int(numba.carray(words_at(clock), 2)[D_MICROSECONDS])

    functions = (
        numba.cfunc("int64(int64)")(drive),
        numba.cfunc("int64(int64)")(step),
        numba.cfunc("int64(int64, uint32)")(get_buffer),
        numba.cfunc("int64(int64)")(frame_time),
        numba.cfunc("int64(int64)")(microseconds),
    )
    return ClockCode(
        drive=callable_at(functions[0].address),
        step=callable_at(functions[1].address),
        get_buffer=functions[2].address,
        frame_time=functions[3].address,
        microseconds=functions[4].address,
        kept=functions,
    )
