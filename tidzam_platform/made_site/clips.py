"""Labelled clips: cut as a recorder cuts them, the event somewhere inside and the background everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tidzam_platform.made_site.backgrounds import Place, draw_place
from tidzam_platform.made_site.mixing import within_full_scale
from tidzam_platform.made_site.scenes import Scene, draw_individual, spread_individuals
from tidzam_platform.made_site.synthesis import Sound, frames_of
from tidzam_platform.made_site.voices import VOICES, Individual

NOISE: Final = "noise"
"""The class of clips without an event."""

CLASSES: Final = (*VOICES, NOISE)

_CLIP_S: Final = (1.0, 3.0)
_EVENT_PART: Final = (0.75, 0.95)  # of the clip
_SNR_DB: Final = (2.0, 18.0)  # of the farthest and the nearest group
_SNR_SPREAD_DB: Final = 2.0  # between the clips of a group
_OVERLAP_PROBABILITY: Final = 0.2
_OVERLAP_PART: Final = (0.2, 0.6)  # of the clip
_OVERLAP_BELOW_DB: Final = (8.0, 14.0)
_STREAM: Final = 1  # keeps these draws apart from those of the recordings


@dataclass(frozen=True)
class Difficulty:
    """How hard clips are to tell apart; the defaults are those of the site.

    Attributes:
        snr_db: of the farthest and the nearest group, A-weighted, above the background.
        event_part: of the clip that the event lasts, at least and at most.
        overlap_probability: of another sound in the clip, which is not labelled.
        overlap_part: of the clip that it lasts.
        overlap_below_db: how much weaker it is.
    """

    snr_db: tuple[float, float] = _SNR_DB
    event_part: tuple[float, float] = _EVENT_PART
    overlap_probability: float = _OVERLAP_PROBABILITY
    overlap_part: tuple[float, float] = _OVERLAP_PART
    overlap_below_db: tuple[float, float] = _OVERLAP_BELOW_DB


USUAL: Final = Difficulty()


@dataclass(frozen=True)
class Clip:
    """One clip to be made: everything that its sound follows from."""

    seed: tuple[int, ...]
    class_path: str
    group: str
    number: int
    place: Place
    individual: Individual
    distance: float
    difficulty: Difficulty = USUAL
    voice: str = ""
    """What sounds, a key of ``VOICES`` or ``NOISE``; empty: the one of the class's own name."""


def plan_clips(seed: int, *, clips_per_class: int, groups_per_class: int) -> list[Clip]:
    """The clips of the site, class by class; clips of a group share the place, the individual and its distance.

    Noise has twice the groups: what an empty place sounds like differs more than what an animal does.
    """
    clips = []
    for class_number, class_path in enumerate(CLASSES):
        rng = np.random.default_rng([seed, _STREAM, class_number])
        groups = groups_per_class * 2 if class_path == NOISE else groups_per_class
        individuals = spread_individuals(rng, groups)
        places = [draw_place(rng) for _ in range(groups)]
        distances = (rng.permutation(groups) + rng.random(groups)) / groups
        clips += [
            Clip(
                seed=(seed, _STREAM, class_number, number),
                class_path=class_path,
                group=f"{class_path.rpartition('-')[2]}-{number % groups:02d}",
                number=number // groups,
                place=places[number % groups],
                individual=individuals[number % groups],
                distance=float(distances[number % groups]),
            )
            for number in range(clips_per_class)
        ]
    return clips


def make_clip(clip: Clip) -> Sound:
    """The sound of a clip: mono, 1 to 3 s, never louder than full scale."""
    rng = np.random.default_rng(clip.seed)
    duration_s = rng.uniform(*_CLIP_S)
    scene = Scene(clip.place, rng, frames_of(duration_s))
    how, voice = clip.difficulty, clip.voice or clip.class_path
    if voice != NOISE:
        far_db, near_db = how.snr_db
        at_distance_db = near_db + (far_db - near_db) * clip.distance
        spread_db = rng.uniform(-_SNR_SPREAD_DB, _SNR_SPREAD_DB)
        snr_db = float(np.clip(at_distance_db + spread_db, far_db, near_db))
        event_s = duration_s * rng.uniform(*how.event_part)
        individual = clip.individual.at_another_time(rng)
        _lay_within(scene, rng, voice, individual, event_s, snr_db)
        if rng.random() < how.overlap_probability:
            others = [name for name in VOICES if name != voice]
            other = others[int(rng.integers(len(others)))]
            other_s = duration_s * rng.uniform(*how.overlap_part)
            below_db = rng.uniform(*how.overlap_below_db)
            _lay_within(scene, rng, other, draw_individual(rng), other_s, snr_db - below_db)
    return within_full_scale(scene.sound)


def _lay_within(
    scene: Scene,
    rng: np.random.Generator,
    voice: str,
    individual: Individual,
    duration_s: float,
    snr_db: float,
) -> None:
    event = VOICES[voice](individual, rng, duration_s)
    start_frame = int(rng.integers(0, max(1, len(scene.sound) - len(event) + 1)))
    scene.lay(event, start_frame, snr_db)
