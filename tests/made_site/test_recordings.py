"""Recordings before they are written: the truth says what sounds, and when."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.made_site.levels import FRAME_S, level_db_over_time
from tidzam_platform.audio.archive_names import parse_archive_name
from tidzam_platform.made_site.recordings import Recording, SiteEvent, make_recording, plan_recordings
from tidzam_platform.made_site.synthesis import RATE_HZ
from tidzam_platform.made_site.voices import VOICES

DURATION_S = 75
CHANNELS = 4


def planned(seed: int = 1) -> list[Recording]:
    return plan_recordings(seed, duration_s=DURATION_S, channels=CHANNELS)


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, list[SiteEvent]]:
    return make_recording(planned()[-1])


def test_recordings_are_named_as_the_archive_wants_over_two_days_the_second_right_after_the_first() -> None:
    first, second, next_day = (parse_archive_name(f"{recording.name}.opus") for recording in planned())
    assert first.database == second.database == next_day.database == "pond"
    assert (second.local_time - first.local_time).total_seconds() == DURATION_S
    assert (next_day.local_time.date() - first.local_time.date()).days == 1


def test_the_same_seed_gives_the_same_samples_and_truth() -> None:
    recording, again = (plan_recordings(3, duration_s=10, channels=2)[0] for _ in range(2))
    (samples, events), (samples_again, events_again) = make_recording(recording), make_recording(again)
    assert np.array_equal(samples, samples_again)
    assert events == events_again


def test_channels_and_recordings_all_differ() -> None:
    sounds = [
        channel.tobytes()
        for recording in plan_recordings(3, duration_s=10, channels=2)
        for channel in make_recording(recording)[0]
    ]
    assert len(set(sounds)) == 6


def test_samples_are_of_the_contract(made: tuple[np.ndarray, list[SiteEvent]]) -> None:
    samples, _ = made
    assert samples.dtype == np.float32
    assert samples.shape == (CHANNELS, DURATION_S * RATE_HZ)
    assert np.abs(samples).max() <= 0.9


def test_every_class_sounds_and_events_lie_within_the_recording(
    made: tuple[np.ndarray, list[SiteEvent]],
) -> None:
    _, events = made
    assert set(VOICES) == {event.class_path for event in events}
    assert max(Counter(event.class_path for event in events).values()) <= 5
    assert {event.channel for event in events} == set(range(1, CHANNELS + 1))
    for event in events:
        assert 0 <= event.start_s < event.end_s <= DURATION_S
        assert round(event.start_s, 3) == event.start_s


def test_some_events_overlap_and_long_stretches_are_noise_only(
    made: tuple[np.ndarray, list[SiteEvent]],
) -> None:
    _, events = made
    overlaps = 0
    for channel in range(1, CHANNELS + 1):
        covered = np.zeros(DURATION_S * 1000, int)
        for event in events:
            if event.channel == channel:
                covered[round(event.start_s * 1000) : round(event.end_s * 1000)] += 1
        overlaps += (covered > 1).any()
        edges = np.flatnonzero(np.diff(np.concatenate([[1], covered > 0, [1]])))
        assert np.diff(edges)[::2].max() > 8000
        assert (covered == 0).mean() > 0.3
    assert overlaps >= 1


def test_every_event_raises_the_level_at_its_time(made: tuple[np.ndarray, list[SiteEvent]]) -> None:
    """The loudest stretches within an event pass, in some band, what the channel has where nothing sounds."""
    samples, events = made
    for channel, sound in enumerate(samples, start=1):
        levels_db = level_db_over_time(sound)
        at_s = np.arange(len(levels_db)) * FRAME_S
        mine = [event for event in events if event.channel == channel]
        empty = np.all([(at_s < event.start_s - 0.05) | (at_s > event.end_s + 0.5) for event in mine], axis=0)
        usual_db = np.quantile(levels_db[empty], 0.9, axis=0)
        for event in mine:
            during = (at_s >= event.start_s) & (at_s < event.end_s)
            others = [other for other in mine if other is not event]
            for other in others:
                during &= (at_s < other.start_s - 0.05) | (at_s > other.end_s + 0.5)
            if during.sum() * FRAME_S < 0.5:
                continue  # another event covers it
            loud_db = np.quantile(levels_db[during], 0.9, axis=0)
            assert (loud_db - usual_db).max() > 3, event
