"""What was heard lately: exactly that, in memory of known size."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.hearing import AudioHistory
from streamer.analyzer.hearing.history import LINGER_S, YIELD_S
from streamer.analyzer.hearing.track import Track, as_int16
from streamer.analyzer.windows import Geometry, Run
from tests.streamer.sources.clocks import Clock
from tidzam_platform.errors import RuleError

A, B = 1_000_000_000, 2_000_000_000  # anchors
GEOMETRY = Geometry(48_000, 48_000, 24_000)
S_BYTES = 96_000  # of a second of a channel


def run(anchor: int = A, geometry: Geometry = GEOMETRY, source: str = "marsh") -> Run:
    return Run(source, anchor, geometry)


def audio(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (channels, frames)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 50),
    st.lists(
        st.tuples(st.sampled_from("aagbr"), st.integers(1, 70), st.integers(0, 200), st.integers(1, 80)),
        max_size=12,
    ),
)
def test_a_track_gives_what_is_there_without_a_gap_or_nothing(
    capacity: int, steps: list[tuple[str, int, int, int]]
) -> None:
    track = Track(capacity)
    anchor, frame, value = A, 0, 0
    kept: list[tuple[int, int, int]] = []  # anchor, frame, value: what must be there, newest last
    for what, count, start, length in steps:
        if what == "g":
            frame += count
        elif what == "b":
            anchor, frame = (B if anchor == A else A), 0
        elif what == "r":
            track.resize(count)
            capacity = count
        else:
            track.append(anchor, frame, np.arange(value, value + count).astype(np.int16))
            kept += [(anchor, frame + index, value + index) for index in range(count)]
            frame, value = frame + count, value + count
        kept = kept[-capacity:]
        for wanted in (A, B):
            found = track.cut(wanted, start, start + length)
            runs = [kept[at : at + length] for at in range(len(kept) - length + 1)]
            right = [
                [value for _, _, value in one]
                for one in runs
                if [(a, f) for a, f, _ in one] == [(wanted, start + index) for index in range(length)]
            ]
            assert (found is None) == (not right)
            if found is not None:
                assert found.tolist() == right[-1]
            span = track.span(wanted, start)
            assert (span is None) == ((wanted, start) not in [(a, f) for a, f, _ in kept])
            if span is not None:
                assert track.cut(wanted, *span) is not None
                assert track.cut(wanted, span[0] - 1, span[1]) is None
                assert track.cut(wanted, span[0], span[1] + 1) is None


def test_sixteen_bits_stay_the_same_bits() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(as_int16(every.astype(np.float32) / 32768), every)
    np.testing.assert_array_equal(
        as_int16(np.array([[1.0, -1.0, 0.99999]], np.float32)), [[32767, -32768, 32767]]
    )


def test_it_gives_each_channel_its_own_audio_in_frames_of_the_run() -> None:
    history = AudioHistory(10**7)
    history.set_seconds(2)
    heard = audio(48_000, 2)
    history.append("marsh", (1, 3), A, 1000, heard)
    at_third = run(geometry=Geometry(16_000, 16_000, 8_000))
    found = history.audio(at_third, 3, 1000, 3000)
    assert found is not None
    np.testing.assert_array_equal(found, as_int16(heard[1:, 2000:8000])[0])
    assert history.span(at_third, 3, 2000) == (334, 16_333)
    assert history.audio(run(), 2, 1000, 2000) is None, "no such channel"
    assert history.audio(run(B), 1, 1000, 2000) is None, "no such run"
    assert history.audio(run(), 1, 999, 2000) is None, "before it was heard"
    assert history.audio(run(), 1, 1000, 50_000) is None, "not yet heard"
    assert history.span(run(), 1, 49_000) is None


def test_nothing_is_kept_unless_somebody_wants_it() -> None:
    history = AudioHistory(10**7)
    history.append("marsh", (1,), A, 0, audio(1000))
    assert history.memory_bytes == 0
    assert history.audio(run(), 1, 0, 10) is None


def test_patterns_say_how_much_and_the_most_holds() -> None:
    history = AudioHistory(10**8)
    history.keep({"marsh:*": 1, "marsh:out_1": 3, "pond:*": 0})
    for source in ("marsh", "pond"):
        history.append(source, (1, 2), A, 0, audio(100, 2))
    assert history.memory_bytes == 4 * S_BYTES
    history.keep_s("pond:out_2", 2)
    assert history.memory_bytes == 6 * S_BYTES
    history.keep_s("marsh:out_1", 0)
    assert history.memory_bytes == 4 * S_BYTES
    history.set_seconds(0)
    assert history.memory_bytes == 0


def test_what_was_kept_stays_when_more_or_less_is_wanted() -> None:
    history = AudioHistory(10**8)
    history.set_seconds(2)
    heard = audio(150_000)
    history.append("marsh", (1,), A, 0, heard)
    for seconds in (4, 1, 3):
        history.set_seconds(seconds)
        assert history.audio(run(), 1, 102_001, 150_000) is not None
    assert history.audio(run(), 1, 101_999, 150_000) is None
    history.append("marsh", (1,), A, 150_000, audio(48_000, seed=2))
    assert history.span(run(), 1, 150_000) == (102_000, 198_000)


def test_memory_never_exceeds_what_is_allowed() -> None:
    history = AudioHistory(5 * S_BYTES)
    history.set_seconds(2)
    for number in (1, 2, 3):
        history.append("marsh", (number,), A, 0, audio(100))
    assert history.memory_bytes == 4 * S_BYTES
    assert history.counts()["channels_without_room"] == 1
    assert history.audio(run(), 3, 0, 50) is None
    with pytest.raises(RuleError, match=r"preroll_mb"):
        history.set_seconds(2)
    history.set_seconds(1)
    assert history.memory_bytes == 3 * S_BYTES
    history.append("marsh", (3,), A, 100, audio(100))
    assert history.audio(run(), 3, 100, 200) is not None


def test_a_channel_that_is_gone_is_known_for_a_while() -> None:
    clock = Clock()
    history = AudioHistory(10**8, monotonic=clock.monotonic)
    history.set_seconds(1)
    history.append("marsh", (1, 2), A, 0, audio(100, 2))
    history.leave("marsh", (1, 2))
    clock.pass_s(LINGER_S - 1)
    history.append("marsh", (2,), A, 100, audio(100))
    assert history.audio(run(), 1, 0, 100) is not None
    clock.pass_s(2)
    history.leave("marsh", ())
    assert history.audio(run(), 1, 0, 100) is None
    assert history.audio(run(), 2, 0, 200) is not None, "it came back"
    assert history.memory_bytes == S_BYTES


def test_what_a_channel_leaves_goes_to_one_that_had_no_room() -> None:
    clock = Clock()
    history = AudioHistory(3 * S_BYTES, monotonic=clock.monotonic)
    history.set_seconds(1)
    for number in (1, 2, 3, 4, 5):
        history.append("marsh", (number,), A, 0, audio(100))
    assert history.counts()["channels_without_room"] == 2
    history.leave("marsh", (2,))
    clock.pass_s(YIELD_S - 1)
    history.append("marsh", (4, 5), A, 100, audio(100, 2))
    assert history.audio(run(), 2, 0, 100) is not None, "its last clips may still be cut"
    clock.pass_s(2)
    history.append("marsh", (4, 5), A, 200, audio(100, 2))
    assert history.audio(run(), 4, 200, 300) is not None, "the first that waited"
    assert history.audio(run(), 5, 200, 300) is None
    assert history.audio(run(), 2, 0, 100) is None
    assert history.memory_bytes == 3 * S_BYTES
    assert history.counts()["channels_without_room"] == 1
    history.append("marsh", (2,), A, 300, audio(100))
    assert history.audio(run(), 2, 300, 400) is None, "who comes back finds it given away"
    history.leave("marsh", (1, 3))
    clock.pass_s(YIELD_S)
    history.append("marsh", (2, 5), A, 400, audio(100, 2))
    history.append("marsh", (2, 5), A, 500, audio(100, 2))
    assert all(history.audio(run(), number, 500, 600) is not None for number in (2, 5))
    assert history.counts()["channels_without_room"] == 0
    assert history.memory_bytes == 3 * S_BYTES


def test_who_is_away_for_a_moment_finds_its_memory_again() -> None:
    clock = Clock()
    history = AudioHistory(S_BYTES, monotonic=clock.monotonic)
    history.set_seconds(1)
    history.append("marsh", (1, 2), A, 0, audio(100, 2))
    history.leave("marsh", (1,))
    clock.pass_s(YIELD_S / 2)
    history.append("marsh", (1, 2), A, 100, audio(100, 2))
    clock.pass_s(YIELD_S)
    history.append("marsh", (1, 2), A, 200, audio(100, 2))
    assert history.audio(run(), 1, 0, 300) is not None
    assert history.audio(run(), 2, 200, 300) is None


def test_channels_that_have_gone_refuse_no_rule() -> None:
    clock = Clock()
    history = AudioHistory(2 * S_BYTES, monotonic=clock.monotonic)
    history.set_seconds(1)
    history.append("marsh", (1, 2), A, 0, audio(100, 2))
    with pytest.raises(RuleError):
        history.set_seconds(2)
    history.leave("marsh", (2,))
    history.set_seconds(2)
    clock.pass_s(YIELD_S)
    history.append("marsh", (1,), A, 100, audio(100))
    assert history.memory_bytes == 2 * S_BYTES
    assert history.audio(run(), 1, 0, 200) is not None, "what was kept stays"


def test_threads_may_ask_while_it_is_written() -> None:
    history = AudioHistory(10**8)
    history.set_seconds(1)
    heard = (np.arange(1_440_000) % 30_000 / 32768).astype(np.float32)
    wrong: list[str] = []
    done = threading.Event()

    def ask(check: Callable[[np.ndarray], bool]) -> None:
        while not done.is_set():
            span = history.span(run(), 1, reached[0] - 1)
            found = None if span is None else history.audio(run(), 1, *span)
            if found is not None and not check(found):
                wrong.append("torn")

    reached = [1]
    threads = [
        threading.Thread(target=ask, args=(lambda found: bool(np.isin(np.diff(found), [1, -29_999]).all()),))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for begin in range(0, len(heard), 24_000):
        history.append("marsh", (1,), A, begin, heard[None, begin : begin + 24_000])
        reached[0] = begin + 24_000
        if begin % 240_000 == 0:
            history.set_seconds(1 + begin // 240_000 % 3)
    done.set()
    for thread in threads:
        thread.join(10)
    assert not wrong
