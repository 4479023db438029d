"""Balanced draws: a class by its weight, one of its groups and one of the group's clips by chance, then a crop.

Every draw follows from the seed and the number of the epoch alone, so that a resumed training sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.training.examples import Examples, IntArray
from tidzam_platform.settings import AugmentationSettings

# The louder of so many random crops is taken: a label is of the clip, not of each second.
CROPS_TO_CHOOSE_FROM: Final = 2

NOISE_OVER_BACKGROUND_DB: Final = 20.0  # louder than under other sounds


@dataclass(frozen=True)
class Draws:
    """What an epoch looks at.

    Attributes:
        clips: int64 ``[count]``, index of the clip.
        starts: int64 ``[count]``, first frame of the crop in ``Examples.log_mel``.
        rates: float32 ``[count]``, how much faster than it was each crop is played.
        backgrounds: int64 ``[count]``, first frame of a crop of background; -1 where none is mixed in.
        tilts_db: float32 ``[count]``, slope given to the background, in dB per octave.
        louder_db: float32 ``[count]``, how much louder than usual the background is.
    """

    clips: IntArray
    starts: IntArray
    rates: npt.NDArray[np.float32]
    backgrounds: IntArray
    tilts_db: npt.NDArray[np.float32]
    louder_db: npt.NDArray[np.float32]


class BalancedSampler:
    """Draws from ``examples``; see the module.

    A class of ``n`` clips weighs ``n ** (1 - class_balance)``: at 1 all classes weigh alike, at 0 as they are labelled.
    Between the two rare classes are learnt without being heard everywhere (square-root sampling, Mahajan 2018).
    """

    def __init__(
        self, examples: Examples, seed: int, settings: AugmentationSettings, class_balance: float = 1.0
    ) -> None:
        self._examples = examples
        self._seed = seed
        self._settings = settings
        self._backgrounds = np.flatnonzero(examples.is_background)
        clips_of: dict[int, dict[str, list[int]]] = {}
        for clip, labels in enumerate(examples.labels):
            for label in labels:
                clips_of.setdefault(label, {}).setdefault(examples.groups[clip], []).append(clip)
        groups = [group for label in sorted(clips_of) for group in clips_of[label].values()]
        sizes = np.array([sum(map(len, clips_of[label].values())) for label in sorted(clips_of)])
        weights = sizes ** (1 - class_balance)
        self._up_to_class = np.cumsum(weights / weights.sum())
        # Classes index into groups and groups into clips by offsets, so that draws need no loop.
        self._group_offsets = np.cumsum([0, *(len(clips_of[label]) for label in sorted(clips_of))])
        self._clip_offsets = np.cumsum([0, *map(len, groups)])
        self._clips = np.concatenate([np.array(group, np.int64) for group in groups])

    def draw(self, epoch: int, count: int) -> Draws:
        """``count`` crops of epoch ``epoch``; each class comes as often as its weight says, to one."""
        random = np.random.default_rng([self._seed, epoch])
        places = (np.arange(count) + random.random()) / count
        last = len(self._up_to_class) - 1
        classes = random.permutation(np.minimum(np.searchsorted(self._up_to_class, places, "right"), last))
        groups = _pick(self._group_offsets, classes, random)
        clips = self._clips[_pick(self._clip_offsets, groups, random)]
        rates = self._rates(clips, random)
        starts = self._loudest_crop(clips, random)
        end = self._examples.first_frame[clips] + self._examples.frames[clips]
        reach = np.floor(np.float32(self._examples.patch_frames - 1) * rates).astype(np.int64) + 1
        starts = np.minimum(starts, end - reach)
        return Draws(clips, starts, rates, *self._draw_backgrounds(clips, random))

    def _rates(self, clips: IntArray, random: np.random.Generator) -> npt.NDArray[np.float32]:
        """As fast as often as slow, and never so fast that a clip is over before its crop."""
        spread = np.log1p(self._settings.time_stretch)
        rates = np.exp(random.uniform(-spread, spread, len(clips)))
        fastest = (self._examples.frames[clips] - 1) / (self._examples.patch_frames - 1)
        return np.minimum(rates, fastest).astype(np.float32)

    def _draw_backgrounds(
        self, clips: IntArray, random: np.random.Generator
    ) -> tuple[IntArray, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """First frames (-1 for none), slopes and loudness: background of the site, noise of any colour over the rest.

        Noise lies under clips of background as well, and often covers them: were it only under the others, noise
        alone would tell a sound.
        """
        count = len(clips)
        backgrounds = np.full(count, -1, np.int64)
        tilts_db, louder_db = np.zeros(count, np.float32), np.zeros(count, np.float32)
        is_background = self._examples.is_background[clips]
        if len(self._backgrounds):
            of_site = ~is_background & (random.random(count) < self._settings.background_share)
            crops = self._random_crop(random.choice(self._backgrounds, count), random)
            backgrounds[of_site] = crops[of_site]
        noisy = (backgrounds < 0) & ~self._examples.is_silence[clips]
        noisy &= random.random(count) < self._settings.noise_share
        room = len(self._examples.log_mel) - self._examples.noise_start - self._examples.patch_frames
        starts = self._examples.noise_start + random.integers(0, room, count)
        backgrounds[noisy] = starts[noisy]
        tilts_db[noisy] = random.uniform(*self._settings.noise_tilt_db_per_octave, count)[noisy]
        louder_db[noisy & is_background] = NOISE_OVER_BACKGROUND_DB
        return backgrounds, tilts_db, louder_db

    def _random_crop(self, clips: IntArray, random: np.random.Generator) -> IntArray:
        room = self._examples.frames[clips] - self._examples.patch_frames + 1
        starts: IntArray = self._examples.first_frame[clips] + random.integers(0, room)
        return starts

    def _loudest_crop(self, clips: IntArray, random: np.random.Generator) -> IntArray:
        crops = np.stack([self._random_crop(clips, random) for _ in range(CROPS_TO_CHOOSE_FROM)])
        loudness = self._examples.loudness
        sums = loudness[crops + self._examples.patch_frames] - loudness[crops]
        best: IntArray = np.take_along_axis(crops, sums.argmax(axis=0)[np.newaxis], axis=0)[0]
        return best


def _pick(offsets: npt.NDArray[np.int64], rows: IntArray, random: np.random.Generator) -> IntArray:
    """One member of each of ``rows``, whose members are numbered from ``offsets[row]`` to ``offsets[row + 1]``."""
    picked: IntArray = random.integers(offsets[rows], offsets[rows + 1])
    return picked
