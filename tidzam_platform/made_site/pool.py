"""A pool of clips as a real archive gives them: few classes make most of it, few individuals most of a class.

What a recorder keeps in a month is mostly noise, rain and the bird beside the microphone, again and again; the rare
species calls a dozen times, and the common one gives its alarm call as rarely. Which of such clips a person labels
matters, which is what ``learning`` is measured on. The test clips are the other way round: as many of each sound, each
of an individual of its own.

::

    <folder>/complete.json       written last; its fingerprint says what the pool was made from
             pool/labels.csv     clips that may be labelled, with the truth
             test/labels.csv     clips that generations are compared on; nothing is ever trained on them
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tidzam_platform.labels.csv_reader import read_label_csv
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.made_site.backgrounds import draw_place
from tidzam_platform.made_site.clips import NOISE, Clip, Difficulty
from tidzam_platform.made_site.keeping import Progress, make_once
from tidzam_platform.made_site.scenes import spread_individuals
from tidzam_platform.made_site.writing import write_clips


@dataclass(frozen=True)
class Sound:
    """What a class utters, and how many clips of it are in a pool."""

    class_path: str
    voice: str
    clips: int


SOUNDS: Final = (
    Sound("noise", NOISE, 180),
    Sound("weather-rain", "weather-rain", 90),
    Sound("vehicles-car", "vehicles-car", 60),
    Sound("birds-warbler", "birds-chiffchaff", 60),
    Sound("birds-warbler", "birds-fast_trill", 14),
    Sound("insects-cricket", "insects-field_cricket", 48),
    Sound("insects-cricket", "insects-bush_cricket", 12),
    Sound("birds-bunting", "birds-slow_trill", 30),
    Sound("birds-bunting", "birds-falling_whistle", 12),
    Sound("human-voice", "human-voice", 28),
    Sound("birds-oriole", "birds-rising_whistle", 20),
    Sound("amphibians-frog", "amphibians-tree_frog", 16),
)
"""What is heard at the place: few classes make most of it, and a species has a song and a rare call."""

HARD: Final = Difficulty(
    snr_db=(-2.0, 16.0),
    event_part=(0.4, 0.95),
    overlap_probability=0.3,
    overlap_part=(0.2, 0.6),
    overlap_below_db=(5.0, 14.0),
)
"""From what the wind half covers to what sits on the microphone, a third of it with something else beside."""

_PARTS: Final = ("pool", "test")
_POOL_STREAM, _TEST_STREAM = 3, 4  # keep these draws apart from each other and from those of the site
_CLIPS_A_GROUP: Final = 4  # on average
_MIN_GROUPS: Final = 4  # of a sound


@dataclass(frozen=True)
class PoolSize:
    """How much is made; the defaults are what the demo of generations needs."""

    share: float = 1.0
    """Of the clips of ``SOUNDS``."""
    test_clips_per_sound: int = 16

    def __post_init__(self) -> None:
        if not self.share > 0 or self.test_clips_per_sound < 1:
            raise ValueError("a pool needs clips to choose from, and test clips of each sound")


@dataclass(frozen=True)
class MadePool:
    """A pool on disk; each entry has its truth and its group."""

    pool: tuple[LabelledFile, ...]
    test: tuple[LabelledFile, ...]


def plan_pool(seed: int, share: float = 1.0) -> list[Clip]:
    """The clips to choose from, sound by sound, the individuals that are heard most first."""
    planned = []
    for number, sound in enumerate(SOUNDS):
        count = max(_MIN_GROUPS, round(share * sound.clips))
        groups = max(_MIN_GROUPS, round(count / _CLIPS_A_GROUP))
        planned += _plan((seed, _POOL_STREAM, number), sound, _falling(count, groups))
    return planned


def plan_test(seed: int, clips_per_sound: int) -> list[Clip]:
    """The clips to compare on: as many of each sound, each of another individual at another place."""
    planned = []
    for number, sound in enumerate(SOUNDS):
        planned += _plan((seed, _TEST_STREAM, number), sound, [1] * clips_per_sound)
    return planned


def make_pool(
    folder: Path, *, seed: int = 1, size: PoolSize | None = None, progress: Progress | None = None
) -> MadePool:
    """Make the pool in ``folder``, or find it made. The same seed and size give the same samples.

    Args:
        folder: where it goes; absent, empty, or that of a pool.
        seed: of every random choice.
        size: how much to make.
        progress: called after each file with the files written and the files in all.

    Raises:
        FolderInUseError: the folder holds something else.
        BusyError: another process is making a pool there.
        MissingSystemPartError: ffmpeg is not installed.
    """
    size = size or PoolSize()
    told = progress or (lambda _done, _all: None)
    make_once(
        folder, "pool", _PARTS, {"seed": seed, **asdict(size)}, lambda into: _write(into, seed, size, told)
    )
    pool, test = (tuple(read_label_csv(folder / part / "labels.csv")) for part in _PARTS)
    return MadePool(pool, test)


def _plan(seed: tuple[int, int, int], sound: Sound, sizes: Sequence[int]) -> list[Clip]:
    """Groups of these sizes; the clips of one share place, individual and distance: they are near-duplicates."""
    rng = np.random.default_rng(seed)
    individuals = spread_individuals(rng, len(sizes))
    places = [draw_place(rng) for _ in sizes]
    distances = (rng.permutation(len(sizes)) + rng.random(len(sizes))) / len(sizes)
    kind = "pool" if seed[1] == _POOL_STREAM else "test"
    planned: list[Clip] = []
    for group, size in enumerate(sizes):
        for number in range(size):
            clip = Clip(
                seed=(*seed, len(planned)),
                class_path=sound.class_path,
                group=f"{kind}-{sound.voice.rpartition('-')[2]}-{group:02d}",
                number=number,
                place=places[group],
                individual=individuals[group],
                distance=float(distances[group]),
                difficulty=HARD,
                voice=sound.voice,
            )
            planned.append(clip)
    return planned


def _falling(count: int, groups: int) -> list[int]:
    """Sizes of ``groups`` groups that add up to ``count``: the n-th about a n-th of the first, none empty."""
    shares = 1 / np.arange(1, groups + 1)
    sizes = 1 + np.floor((count - groups) * shares / shares.sum()).astype(int)
    sizes[0] += count - sizes.sum()
    found: list[int] = sizes.tolist()
    return found


def _write(staging: Path, seed: int, size: PoolSize, progress: Progress) -> None:
    """Write both parts below ``staging``."""
    plans = (plan_pool(seed, size.share), plan_test(seed, size.test_clips_per_sound))
    total, done = sum(map(len, plans)), itertools.count(1)
    for part, clips in zip(_PARTS, plans, strict=True):
        write_clips(staging / part, clips, lambda: progress(next(done), total))
