"""Clips are given the audio around their window; what must not be kept is in none."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.keeping.heard_windows import HeardWindows
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.matching import RuleBook
from streamer.analyzer.keeping.near_duplicates import NearDuplicates
from streamer.analyzer.keeping.selection import Chosen, Selector
from streamer.analyzer.keeping.waiting import (
    AUDIO_PATIENCE_S,
    FORBIDDEN,
    MAX_HELD_BYTES,
    NO_AUDIO,
    UNHEARD,
    VERDICT_PATIENCE_S,
    Settled,
    WaitingClips,
)
from streamer.analyzer.windows import Geometry, WindowKey, WindowResult
from tests.streamer.analyzer.keeping.made import RATE_HZ, hear, history_of, rule, run, sound, window
from tidzam_platform.clips.rules_store import StoredRule


def chosen(result: WindowResult, **spec: object) -> Chosen:
    selector = Selector(Ledger(), NearDuplicates(), random.Random(0))  # noqa: S311 - no secret
    found = selector.choose(result, RuleBook([rule(**spec)]).of(result.key.channel))
    assert found is not None
    return found


def waiting_for(history: AudioHistory, result: WindowResult, now_s: float, **spec: object) -> WaitingClips:
    waiting = WaitingClips(history, HeardWindows(200))
    assert waiting.add(chosen(result, **spec), now_s, is_guarded=False)
    return waiting


def only(waiting: WaitingClips, now_s: float) -> Settled | None:
    found = list(waiting.settled(now_s))
    assert len(found) <= 1
    return found[0] if found else None


def test_the_clip_is_the_audio_around_the_window_sample_for_sample() -> None:
    audio = sound(20)
    waiting = waiting_for(history_of(audio), window(12, ended_s=100.0), 100.0, length_s=4)
    assert only(waiting, 101.4) is None  # 1.5 s after the window's end
    found = only(waiting, 101.5)
    assert found is not None
    assert found.samples is not None
    # The window is from 6 to 7 s.
    np.testing.assert_array_equal(found.samples, audio[round(4.5 * RATE_HZ) : round(8.5 * RATE_HZ)])
    assert len(waiting) == waiting.held_bytes == 0


def test_a_clip_shorter_than_its_window_is_its_middle() -> None:
    audio = sound(5)
    found = only(waiting_for(history_of(audio), window(4, ended_s=10.0), 10.0, length_s=0.5), 10.0)
    assert found is not None
    assert found.samples is not None
    np.testing.assert_array_equal(found.samples, audio[round(2.25 * RATE_HZ) : round(2.75 * RATE_HZ)])


def test_frames_of_a_model_of_another_rate_are_those_of_the_audio() -> None:
    audio = sound(10)
    at_16_khz = run(geometry=Geometry(16_000, 16_000, 8_000))
    history = history_of(audio)
    found = only(waiting_for(history, window(6, of=at_16_khz, ended_s=1.0), 1.0, length_s=2), 9.0)
    assert found is not None
    assert found.samples is not None
    np.testing.assert_array_equal(found.samples, audio[round(2.5 * RATE_HZ) : round(4.5 * RATE_HZ)])


def test_audio_that_comes_late_is_waited_for() -> None:
    audio = sound(20)
    history = history_of(audio[: 7 * RATE_HZ])
    waiting = waiting_for(history, window(12, ended_s=100.0), 100.0, length_s=4)
    assert only(waiting, 102.0) is None
    hear(history, audio[7 * RATE_HZ :], frame=7 * RATE_HZ)
    found = only(waiting, 102.1)
    assert found is not None
    assert found.samples is not None


def test_at_the_beginning_of_a_run_the_clip_begins_with_it() -> None:
    audio = sound(10)
    found = only(waiting_for(history_of(audio), window(0, ended_s=1.0), 1.0, length_s=4), 9.0)
    assert found is not None
    assert found.samples is not None
    np.testing.assert_array_equal(found.samples, audio[: 4 * RATE_HZ])
    assert found.span.begin == 0


def test_where_hearing_began_later_the_clip_begins_there() -> None:
    audio = sound(10)
    history = AudioHistory(100_000_000)
    history.set_seconds(60)
    hear(history, audio[: 4 * RATE_HZ], frame=2 * RATE_HZ)
    waiting = waiting_for(
        history, window(6, ended_s=1.0), 1.0, length_s=8
    )  # the window: 3 to 4 s; the clip: -0.5 s on
    assert only(waiting, 7.0) is None
    hear(history, audio[4 * RATE_HZ :], frame=6 * RATE_HZ)
    found = only(waiting, 9.0)
    assert found is not None
    assert found.samples is not None
    np.testing.assert_array_equal(found.samples, audio[: 8 * RATE_HZ])
    assert found.span.begin == 2 * RATE_HZ


def test_at_the_end_of_a_run_the_clip_ends_with_it() -> None:
    audio = sound(10)
    waiting = waiting_for(history_of(audio), window(18, ended_s=1.0), 1.0, length_s=4)  # 9 to 10 s
    ready_s = 1.0 + 1.5
    assert only(waiting, ready_s + AUDIO_PATIENCE_S - 0.1) is None
    found = only(waiting, ready_s + AUDIO_PATIENCE_S + 0.1)
    assert found is not None
    assert found.samples is not None
    np.testing.assert_array_equal(found.samples, audio[6 * RATE_HZ :])


def test_audio_that_is_gone_or_too_short_gives_no_clip() -> None:
    history = history_of(sound(10), seconds=2)
    waiting = waiting_for(history, window(2, ended_s=1.0), 1.0, length_s=4)
    late_s = 3.0 + AUDIO_PATIENCE_S
    assert only(waiting, late_s - 0.5) is None
    found = only(waiting, late_s + 0.1)
    assert found is not None
    assert (found.samples, found.reason) == (None, NO_AUDIO)
    short = only(waiting_for(history_of(sound(2)), window(1, ended_s=1.0), 1.0, length_s=4), 20.0)
    assert short is not None
    assert short.reason == NO_AUDIO


def test_a_window_that_was_heard_by_a_process_before_does_not_wait_for_ever() -> None:
    waiting = waiting_for(history_of(sound(20)), window(12, ended_s=1e9), 100.0, length_s=4)
    assert only(waiting, 101.6) is not None


def guarded(history: AudioHistory, heard: HeardWindows, result: WindowResult, **spec: object) -> WaitingClips:
    waiting = WaitingClips(history, heard)
    assert waiting.add(chosen(result, **spec), 0.0, is_guarded=True)
    return waiting


def note(heard: HeardWindows, numbers: range, *, forbidden: bool = False) -> None:
    for number in numbers:
        heard.note(window(number).key, forbidden)


def test_the_window_after_a_clip_is_waited_for() -> None:
    heard = HeardWindows(200)
    waiting = guarded(history_of(sound(20)), heard, window(12, ended_s=0.0), length_s=2)  # 5.5 to 7.5 s
    note(heard, range(9, 15))
    assert only(waiting, 3.0) is None
    assert waiting.held_bytes == 2 * RATE_HZ * 2
    note(heard, range(15, 16))
    found = only(waiting, 50.0)
    assert found is not None
    assert found.samples is not None
    assert waiting.held_bytes == 0


def test_a_voice_beside_a_clip_is_enough() -> None:
    for voice in range(9, 16):
        heard = HeardWindows(200)
        note(heard, range(20))
        note(heard, range(voice, voice + 1), forbidden=True)
        found = only(guarded(history_of(sound(20)), heard, window(12, ended_s=0.0), length_s=2), 3.0)
        assert found is not None
        assert (found.samples, found.reason) == (None, FORBIDDEN), voice
    heard = HeardWindows(200)
    note(heard, range(20))
    note(heard, range(8, 9), forbidden=True)
    note(heard, range(16, 17), forbidden=True)
    found = only(guarded(history_of(sound(20)), heard, window(12, ended_s=0.0), length_s=2), 3.0)
    assert found is not None
    assert found.samples is not None


def test_what_nobody_heard_is_not_kept() -> None:
    heard = HeardWindows(200)
    note(heard, range(9, 12))
    note(heard, range(13, 20))
    waiting = guarded(history_of(sound(20)), heard, window(12, ended_s=0.0), length_s=2)
    assert only(waiting, VERDICT_PATIENCE_S) is None
    found = only(waiting, VERDICT_PATIENCE_S + 1)
    assert found is not None
    assert (found.samples, found.reason) == (None, UNHEARD)


def test_audio_that_waits_for_a_word_is_bounded() -> None:
    waiting = WaitingClips(history_of(sound(120)), HeardWindows(200))
    for number in range(30):
        waiting.add(chosen(window(120 + number, ended_s=0.0), length_s=60), 0.0, is_guarded=True)
    reasons = [found.reason for found in waiting.settled(61.0)]
    assert reasons == [UNHEARD] * len(reasons)
    assert waiting.held_bytes <= MAX_HELD_BYTES
    assert len(reasons) + len(waiting) == 30
    assert len(waiting) >= 11
    assert len(waiting.give_up_all()) == 30 - len(reasons)
    assert waiting.held_bytes == 0


WINDOWS = st.lists(
    st.sampled_from(["birds-robin"] * 6 + ["human-speech", "faint voice", "lost"]), min_size=30, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(
    WINDOWS,
    st.floats(0.5, 8),
    st.sampled_from(
        [(48_000, 24_000), (48_000, 48_000), (24_000, 24_000), (48_000, 12_000), (24_000, 36_000)]
    ),
    st.randoms(use_true_random=False),
)
def test_no_clip_holds_a_voice_nor_what_is_next_to_one_nor_what_nobody_heard(
    windows: list[str], length_s: float, cut: tuple[int, int], order: random.Random
) -> None:
    geometry = Geometry(RATE_HZ, *cut)
    of = run(geometry=geometry)
    rules: list[StoredRule] = [
        rule(1, classes="birds", cooldown_s=0, length_s=length_s),
        rule(2, forbid=True, classes="human"),
    ]
    end = (len(windows) - 1) * geometry.hop_frames + geometry.window_frames
    history = history_of(np.zeros(end, np.int16))
    heard, book = HeardWindows(300), RuleBook(rules)
    waiting = WaitingClips(history, heard)
    selector = Selector(Ledger(), NearDuplicates(), random.Random(0))  # noqa: S311 - no secret
    results = [
        window(
            number,
            "birds-robin" if what == "faint voice" else what,
            of=of,
            scores={"human": 0.35} if what == "faint voice" else {},
            ended_s=0.0,
        )
        for number, what in enumerate(windows)
        if what != "lost"
    ]
    order.shuffle(results)  # live ones come before those that waited on disk
    kept: list[Settled] = []
    for result in results:
        on_channel = book.of(result.key.channel)
        is_forbidden = on_channel.forbidding[0].hears(result)
        heard.note(result.key, is_forbidden)
        one = None if is_forbidden else selector.choose(result, on_channel)
        if one is not None:
            waiting.add(one, 0.0, is_guarded=True)
        kept += [found for found in waiting.settled(70.0) if found.samples is not None]
    kept += [found for found in waiting.settled(70.0) if found.samples is not None]
    must_not: set[int] = set()
    for number, what in enumerate(windows):
        if what in ("human-speech", "faint voice", "lost"):
            must_not |= {number - 1, number, number + 1}
    for found in kept:
        for number in must_not:
            begin = number * geometry.hop_frames
            if number in range(len(windows)) and windows[number] in ("human-speech", "faint voice", "lost"):
                touches = begin < found.span.end and begin + geometry.window_frames > found.span.begin
                assert not touches
        touched = [
            number
            for number in range(len(windows))
            if number * geometry.hop_frames < found.span.end
            and number * geometry.hop_frames + geometry.window_frames > found.span.begin
        ]
        assert all(windows[number] == "birds-robin" for number in touched)
        for beside in (touched[0] - 1, touched[-1] + 1):
            assert beside < 0 or windows[beside] == "birds-robin"
    clean = all(what == "birds-robin" for what in windows)
    long_enough = len(windows) * geometry.hop_frames > 4 * length_s * RATE_HZ
    if clean and long_enough and geometry.hop_frames <= geometry.window_frames:
        assert kept
    if geometry.hop_frames > geometry.window_frames:
        assert not kept


def test_without_voices_clips_are_kept() -> None:
    """So that the property above is no empty promise."""
    heard = HeardWindows(300)
    note(heard, range(40))
    history = history_of(np.zeros(22 * RATE_HZ, np.int16))
    waiting = WaitingClips(history, heard)
    for number in range(8, 30):
        waiting.add(chosen(window(number, ended_s=0.0), length_s=3), 0.0, is_guarded=True)
    assert all(found.samples is not None for found in waiting.settled(10.0))
    assert len(waiting) == 0


def test_a_key_knows_its_channel() -> None:
    assert WindowKey(run(), 3, 0, 0.0).channel == "marsh:out_3"
