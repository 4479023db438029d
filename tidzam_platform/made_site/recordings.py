"""Archive recordings of the made site: several microphones over two days, and the truth about what sounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.made_site.backgrounds import Place, draw_place
from tidzam_platform.made_site.mixing import within_full_scale
from tidzam_platform.made_site.scenes import Scene, draw_individual
from tidzam_platform.made_site.synthesis import RATE_HZ, frames_of
from tidzam_platform.made_site.voices import VOICES

DATABASE: Final = "pond"
_FIRST_DAY: Final = datetime(2026, 5, 1, 5, tzinfo=UTC)
SLOT_S: Final = 8.0
"""A slot of time holds one event (and perhaps another over it) or none."""
_QUIET_PART: Final = 0.25  # of the slots
_EVENT_S: Final = (2.0, 4.5)
_SNR_DB: Final = (4.0, 18.0)
_OVERLAP_PROBABILITY: Final = 0.2
_SILENT_END_S: Final = 0.1
_STREAM: Final = 2  # keeps these draws apart from those of the clips


@dataclass(frozen=True, order=True)
class SiteEvent:
    """What sounds on one channel of one recording; times in seconds from its start, on whole milliseconds."""

    recording: str
    """Stem of the recording's file name."""
    channel: int
    """From 1."""
    start_s: float
    end_s: float
    class_path: str
    snr_db: float
    """A-weighted level of the event above the background."""


@dataclass(frozen=True)
class Recording:
    """One recording to be made: everything that its sound follows from."""

    seed: tuple[int, ...]
    name: str
    duration_s: float
    places: tuple[Place, ...]


def plan_recordings(seed: int, *, duration_s: int, channels: int) -> list[Recording]:
    """Two recordings of one morning, the second right after the first, and one of the next day.

    Microphones stay where they hang; who is heard is drawn afresh for every event.
    """
    rng = np.random.default_rng([seed, _STREAM])
    places = tuple(draw_place(rng) for _ in range(channels))
    starts = (_FIRST_DAY, _FIRST_DAY + timedelta(seconds=duration_s), _FIRST_DAY + timedelta(days=1))
    return [
        Recording((seed, _STREAM, number), f"{DATABASE}-{start:%Y-%m-%d-%H-%M-%S}", float(duration_s), places)
        for number, start in enumerate(starts)
    ]


def make_recording(recording: Recording) -> tuple[NDArray[np.float32], list[SiteEvent]]:
    """The samples (float32 ``[channels, frames]`` at ``RATE_HZ``) and every event in them, in order."""
    rng = np.random.default_rng(recording.seed)
    classes = _endless_shuffles(rng)
    channels, events = [], []
    for channel, place in enumerate(recording.places, start=1):
        scene = Scene(place, rng, frames_of(recording.duration_s))
        for onset_s in _onsets(rng, recording.duration_s):
            latest_s = recording.duration_s - _SILENT_END_S
            first = _lay(scene, rng, recording.name, channel, onset_s, latest_s, next(classes))
            events.append(first)
            if rng.random() < _OVERLAP_PROBABILITY:
                middle_s = round((first.start_s + first.end_s) / 2, 3)
                events.append(_lay(scene, rng, recording.name, channel, middle_s, latest_s, next(classes)))
        channels.append(within_full_scale(scene.sound).astype(np.float32))
    return np.stack(channels), sorted(events)


def _endless_shuffles(rng: np.random.Generator) -> Iterator[str]:
    """Class paths for ever: all of them in a random order, then all in another, so that none is missing."""
    classes = list(VOICES)
    while True:
        yield from (classes[index] for index in rng.permutation(len(classes)))


def _onsets(rng: np.random.Generator, duration_s: float) -> list[float]:
    """Onsets of events: one in most slots of ``SLOT_S``; the others hold nothing but noise."""
    slots = max(1, int(duration_s / SLOT_S))
    quiet = rng.permutation(slots)[: round(slots * _QUIET_PART)]
    return [
        round(slot * SLOT_S + rng.uniform(0.3, SLOT_S - _EVENT_S[1] - 0.3), 3)
        for slot in range(slots)
        if slot not in quiet
    ]


def _lay(
    scene: Scene,
    rng: np.random.Generator,
    recording: str,
    channel: int,
    start_s: float,
    latest_s: float,
    class_path: str,
) -> SiteEvent:
    longest_s = min(rng.uniform(*_EVENT_S), latest_s - start_s)
    event = VOICES[class_path](draw_individual(rng), rng, longest_s)
    snr_db = round(rng.uniform(*_SNR_DB), 1)
    scene.lay(event, frames_of(start_s), snr_db)
    end_s = round(start_s + len(event) / RATE_HZ, 3)
    return SiteEvent(recording, channel, start_s, end_s, class_path, snr_db)
