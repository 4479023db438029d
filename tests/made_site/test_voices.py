"""Each class sounds as its name says; what separates them is the pattern in time, not the mean spectrum."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.labels.class_paths import valid_class_path
from tidzam_platform.made_site.clips import CLASSES
from tidzam_platform.made_site.synthesis import RATE_HZ, Sound
from tidzam_platform.made_site.voices import VOICES, Individual

HOP = 120  # frames: 5 ms
INDIVIDUALS = [
    Individual(pitch, tempo, timbre) for pitch in (0.0, 0.5, 1.0) for tempo, timbre in ((0, 1), (1, 0))
]


def call(class_path: str, individual: Individual, duration_s: float = 3.0, seed: int = 1) -> Sound:
    return VOICES[class_path](individual, np.random.default_rng(seed), duration_s)


def envelope(sound: Sound) -> Sound:
    """Level over time, one value every 5 ms, relative to the highest."""
    blocks = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    level = np.sqrt((blocks**2).mean(axis=1))
    return level / level.max()


def onsets_s(sound: Sound) -> Sound:
    """Times at which the level passes a quarter of the highest upwards."""
    loud = np.concatenate([[False], envelope(sound) > 0.25])
    return np.flatnonzero(loud[1:] & ~loud[:-1]) * HOP / RATE_HZ


def pitch_course(sound: Sound) -> list[Sound]:
    """The strongest frequency over time (Hz, every 5 ms), a piece for each note."""
    spectra = np.abs(
        np.fft.rfft(np.lib.stride_tricks.sliding_window_view(sound, 512)[::HOP] * np.hanning(512), 4096)
    )
    peaks = spectra.argmax(axis=1) * RATE_HZ / 4096
    loud = spectra.max(axis=1) > 0.25 * spectra.max()
    edges = np.flatnonzero(np.diff(loud.astype(int))) + 1
    return [
        piece
        for piece, is_loud in zip(np.split(peaks, edges), np.split(loud, edges), strict=True)
        if is_loud[0]
    ]


def test_there_are_at_least_eight_classes_besides_noise_and_their_paths_are_valid() -> None:
    assert len(VOICES) >= 8
    assert {valid_class_path(path) for path in CLASSES} == {*VOICES, "noise"}


@pytest.mark.parametrize("class_path", VOICES)
@pytest.mark.parametrize("duration_s", [0.2, 2.0, 4.5])
def test_a_call_lasts_no_longer_than_asked_and_has_no_silence_at_its_ends(
    class_path: str, duration_s: float
) -> None:
    for individual in INDIVIDUALS:
        sound = call(class_path, individual, duration_s)
        assert np.isfinite(sound).all()
        assert len(sound) <= round(duration_s * RATE_HZ)
        assert duration_s < 2 or len(sound) > 0.5 * duration_s * RATE_HZ
        assert min(np.abs(sound[:480]).max(), np.abs(sound[-480:]).max()) > 0  # 20 ms


@pytest.mark.parametrize("class_path", VOICES)
def test_the_same_draw_gives_the_same_call_and_another_draw_another(class_path: str) -> None:
    first = call(class_path, INDIVIDUALS[0])
    assert np.array_equal(first, call(class_path, INDIVIDUALS[0]))
    other = call(class_path, INDIVIDUALS[0], seed=2)
    assert len(first) != len(other) or not np.array_equal(first, other)


@pytest.mark.parametrize("individual", INDIVIDUALS)
@pytest.mark.parametrize(("class_path", "sign"), [("birds-rising_whistle", 1), ("birds-falling_whistle", -1)])
def test_rising_whistles_rise_and_falling_ones_fall(
    class_path: str, sign: int, individual: Individual
) -> None:
    notes = pitch_course(call(class_path, individual))
    assert len(notes) >= 3
    for note in notes:
        assert (note[-3] / note[2]) ** sign > 1.15


def test_rising_and_falling_whistles_have_the_same_mean_spectrum() -> None:
    def mean_spectrum_db(class_path: str) -> Sound:
        power = [
            np.abs(np.fft.rfft(call(class_path, individual, seed=seed), 4 * RATE_HZ)) ** 2
            for individual in INDIVIDUALS
            for seed in range(3)
        ]
        bands = np.mean(power, axis=0)[9000:20_000].reshape(11, -1).sum(axis=1)  # 2.25 to 5 kHz
        return 10 * np.log10(bands / bands.sum())

    difference_db = mean_spectrum_db("birds-rising_whistle") - mean_spectrum_db("birds-falling_whistle")
    assert np.abs(difference_db).max() < 1


@pytest.mark.parametrize("individual", INDIVIDUALS)
@pytest.mark.parametrize(
    ("class_path", "least_hz", "most_hz"),
    [
        ("birds-chiffchaff", 2.6, 4.0),
        ("birds-slow_trill", 3.5, 6.5),
        ("birds-fast_trill", 13.0, 21.0),
        ("amphibians-tree_frog", 2.5, 6.0),
    ],
)
def test_notes_come_at_the_rate_of_their_class(
    class_path: str, least_hz: float, most_hz: float, individual: Individual
) -> None:
    # the slow movement of the level: the pulses within a croak are quicker than a note of any other
    level = envelope(call(class_path, individual))
    spectrum = np.abs(np.fft.rfft((level - level.mean()) * np.hanning(len(level)), 8192))
    rates_hz = np.arange(len(spectrum)) * RATE_HZ / HOP / 8192
    audible = (rates_hz > 1) & (rates_hz < 30)
    assert least_hz < rates_hz[audible][spectrum[audible].argmax()] < most_hz


def test_the_field_cricket_is_regular_and_the_bush_cricket_is_not() -> None:
    def irregularity(class_path: str, individual: Individual) -> float:
        intervals_s = np.diff(onsets_s(call(class_path, individual, 20.0)))
        between_chirps_s = intervals_s[intervals_s > 0.1]
        return float(between_chirps_s.std() / between_chirps_s.mean())

    for individual in INDIVIDUALS:
        assert irregularity("insects-field_cricket", individual) < 0.1
        assert irregularity("insects-bush_cricket", individual) > 0.3


def test_a_car_swells_and_dies_away() -> None:
    for individual in INDIVIDUALS:
        level = envelope(call("vehicles-car", individual, 4.0))
        first, middle, last = (part.mean() for part in np.split(level[: len(level) // 3 * 3], 3))
        assert middle > 1.5 * max(first, last)
