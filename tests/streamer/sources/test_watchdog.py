"""The watchdog: what it calls a fault, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.sources.watchdog import MAX_GRACE_S, Verdict, Watchdog
from tests.streamer.sources.clocks import Clock

RATE_HZ = 48_000
NO_SAMPLES_S = 10.0
ZEROS_S = 60.0


class Watched:
    """A watchdog and its clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.dog = Watchdog(NO_SAMPLES_S, ZEROS_S, monotonic=self.clock.monotonic)

    def give(
        self, seconds: float, every_s: float, *, for_s: float, zeros: bool = False, sounding_s: float = 0.0
    ) -> None:
        """``seconds`` of audio each ``every_s``."""
        for _ in range(round(for_s / every_s)):
            self.clock.pass_s(every_s)
            self.dog.note(round(seconds * RATE_HZ), are_zeros=zeros, sounding_s=sounding_s)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_source_that_keeps_up_is_well(watched: Watched) -> None:
    watched.give(0.1, 0.1, for_s=3600)
    assert watched.dog.verdict() is None


def test_one_that_never_begins_is_told(watched: Watched) -> None:
    watched.clock.pass_s(NO_SAMPLES_S - 0.01)
    assert watched.dog.verdict() is None
    watched.clock.pass_s(0.01)
    assert watched.dog.verdict() is Verdict.NO_SAMPLES
    assert "10.0 s" in watched.dog.describe(Verdict.NO_SAMPLES)


def test_one_that_stops_is_told_within_30_s(watched: Watched) -> None:
    watched.give(0.1, 0.1, for_s=60, sounding_s=1.0)
    watched.clock.pass_s(NO_SAMPLES_S + 0.9)
    assert watched.dog.verdict() is None, "a second of it was still heard"
    watched.clock.pass_s(0.2)
    assert watched.dog.verdict() is Verdict.NO_SAMPLES
    assert NO_SAMPLES_S + MAX_GRACE_S <= 30


def test_bursts_are_no_fault(watched: Watched) -> None:
    watched.give(8.0, 8.0, for_s=800, sounding_s=8.0)
    watched.clock.pass_s(7.9)
    assert watched.dog.verdict() is None


def test_a_dribble_is_told_within_30_s(watched: Watched) -> None:
    watched.give(0.1, 0.1, for_s=100)
    begun_s = watched.clock.now_s
    while watched.dog.verdict() is None:
        watched.give(0.02, 1.0, for_s=1)
        assert watched.clock.now_s - begun_s < 30
    assert watched.dog.verdict() is Verdict.TOO_SLOW
    assert "too slow" in watched.dog.describe(Verdict.TOO_SLOW)


def test_one_that_sounds_now_and_then_is_told(watched: Watched) -> None:
    begun_s = watched.clock.now_s
    while watched.dog.verdict() is None:
        watched.give(0.3, 1.0, for_s=3)
        watched.give(0.3, 1.0, for_s=1, sounding_s=1.0)
        assert watched.clock.now_s - begun_s < 30
    assert watched.dog.verdict() is Verdict.TOO_SLOW


def test_waiting_for_others_is_not_counted(watched: Watched) -> None:
    for _ in range(100):
        watched.give(0.1, 0.1, for_s=1)
        watched.clock.pass_s(9.0)
        watched.dog.start()
        assert watched.dog.verdict() is None


def test_exact_zeros_are_told_and_a_single_sample_ends_them(watched: Watched) -> None:
    watched.give(0.1, 0.1, for_s=ZEROS_S - 1, zeros=True)
    assert watched.dog.verdict() is None
    watched.give(0.1, 0.1, for_s=1.2, zeros=True)
    assert watched.dog.verdict() is Verdict.ZEROS
    watched.give(0.1, 0.1, for_s=0.1)
    assert watched.dog.verdict() is None
    assert watched.dog.zeros_s == 0


@given(st.lists(st.tuples(st.floats(0.01, 5), st.floats(0.5, 1.5)), min_size=1, max_size=200))
def test_who_gives_at_least_half_of_real_time_without_long_pauses_is_never_called_slow(
    blocks: list[tuple[float, float]],
) -> None:
    watched = Watched()
    for every_s, speed in blocks:
        watched.give(max(speed, 0.51) * every_s, every_s, for_s=every_s)
        assert watched.dog.verdict() is None
