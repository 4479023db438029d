"""False alarms: what is heard where nothing sounds, per hour of such audio."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.classifiers.evaluation.test_events import EVENTS, track
from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation.events import TimedLabel, Track
from tidzam_platform.classifiers.evaluation.false_alarms import false_alarms, is_background


def test_figures_equal_a_hand_calculation() -> None:
    heard = [(0.0, 1.0, "cat"), (12.0, 16.0, "dog"), (40.0, 41.0, "dog"), (50.0, 52.0, "dog")]
    one = track([(10.0, 20.0, "cat"), (15.0, 25.0, "dog")], heard, (49.0, 55.0))
    found = false_alarms([(one, 121.0), (track([], []), 60.0)])
    # 15 s of events and 6 s that are not scored; the dog at 12 s sounds beside the cat, which is no quiet audio
    assert found.hours == pytest.approx((121 - 15 - 6 + 60) / 3600)
    assert found.count == 2
    assert found.by_class == {"cat": 1, "dog": 1}
    assert found.per_hour == pytest.approx(2 / (160 / 3600))


def test_noise_is_no_alarm_and_labelled_noise_is_quiet() -> None:
    one = track([(10.0, 20.0, "noise")], [(11.0, 12.0, "cat"), (30.0, 31.0, "no_signal-silence")])
    found = false_alarms([(one, 100.0)])
    assert found.hours == pytest.approx(100 / 3600)
    assert found.by_class == {"cat": 1}


def test_without_quiet_audio_there_is_no_rate() -> None:
    full = track([(0.0, 30.0, "cat")], [(1.0, 2.0, "dog")])
    found = false_alarms([(full, 20.0)])
    assert (found.per_hour, found.count, found.hours) == (None, 0, 0)


@pytest.mark.parametrize(
    ("path", "quiet"),
    [
        ("noise", True),
        ("no_signal-silence", True),
        ("noise-wind", True),
        ("birds", False),
        ("noisy_miner", False),
    ],
)
def test_background_is_known_by_a_level_of_its_path(path: str, quiet: bool) -> None:
    assert is_background(path) is quiet


@untimed
@given(EVENTS, EVENTS)
def test_quiet_time_and_events_never_exceed_what_there_is(
    reference: tuple[TimedLabel, ...], heard: tuple[TimedLabel, ...]
) -> None:
    found = false_alarms([(Track(reference, heard), 30.0)])
    assert found.count <= len(heard)
    covered = {
        tenth for one in reference for tenth in range(round(one.onset_s * 10), round(one.offset_s * 10))
    }
    assert found.hours * 3600 == pytest.approx(30 - len({one for one in covered if one < 300}) / 10)
