"""Balanced draws: a class, one of its groups, one of the group's clips, each with equal chance, then a crop.

Every draw follows from the seed and the number of the epoch alone, so that a resumed training sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.training.examples import Examples, IntArray

# The louder of so many random crops is taken: a label is of the clip, not of each second.
CROPS_TO_CHOOSE_FROM: Final = 2


@dataclass(frozen=True)
class Draws:
    """What an epoch looks at.

    Attributes:
        clips: int64 ``[count]``, index of the clip.
        starts: int64 ``[count]``, first frame of the crop in ``Examples.log_mel``.
        backgrounds: int64 ``[count]``, first frame of a crop of background; -1 where none is mixed in.
    """

    clips: IntArray
    starts: IntArray
    backgrounds: IntArray


class BalancedSampler:
    """Draws from ``examples``; see the module."""

    def __init__(self, examples: Examples, seed: int, background_share: float) -> None:
        self._examples = examples
        self._seed = seed
        self._background_share = background_share
        self._backgrounds = np.flatnonzero(examples.is_background)
        clips_of: dict[int, dict[str, list[int]]] = {}
        for clip, labels in enumerate(examples.labels):
            for label in labels:
                clips_of.setdefault(label, {}).setdefault(examples.groups[clip], []).append(clip)
        groups = [group for label in sorted(clips_of) for group in clips_of[label].values()]
        # Classes index into groups and groups into clips by offsets, so that draws need no loop.
        self._group_offsets = np.cumsum([0, *(len(clips_of[label]) for label in sorted(clips_of))])
        self._clip_offsets = np.cumsum([0, *map(len, groups)])
        self._clips = np.concatenate([np.array(group, np.int64) for group in groups])

    def draw(self, epoch: int, count: int) -> Draws:
        """``count`` crops of epoch ``epoch``; classes come equally often, to one."""
        random = np.random.default_rng([self._seed, epoch])
        classes = random.permutation(np.arange(count) % (len(self._group_offsets) - 1))
        groups = _pick(self._group_offsets, classes, random)
        clips = self._clips[_pick(self._clip_offsets, groups, random)]
        starts = self._loudest_crop(clips, random)
        backgrounds = np.full(count, -1, np.int64)
        if len(self._backgrounds):
            mixed = random.random(count) < self._background_share
            under = random.choice(self._backgrounds, count)
            crops = self._random_crop(under, random)
            taken = mixed & ~self._examples.is_background[clips]
            backgrounds[taken] = crops[taken]
        return Draws(clips, starts, backgrounds)

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
