"""Balanced, seeded draws of training patches, and their augmentation in the log-mel domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd

FloatArray = npt.NDArray[np.float32]

_CROPS_TO_CHOOSE_FROM = (
    2  # the louder of so many random crops is taken: a label is of the clip, not of each second
)
_MIX_SHARE = 0.5  # of the patches get background
_MIX_SNR_DB = (0.0, 20.0)
_TILT_DB_PER_OCTAVE = (-6.0, 3.0)  # of the synthetic background: from brown to blue
_MASKED_FRAMES = 16  # widest time mask, SpecAugment (Park 2019)
_MASKED_BANDS = 8
_GAIN_PER_BAND_DB = 3.0  # deviation of a slow random equaliser: microphones differ
_DB = float(np.log(10.0) / 10.0)  # a decibel of power in natural logarithm


class BalancedSampler:
    """Draws a class, then one of its groups, then one of its clips, each with equal chance, then a random crop."""

    def __init__(
        self, clips: Sequence[ClipFeatures], outputs: Sequence[str], front_end: FrontEnd, seed: int
    ) -> None:
        self._clips = clips
        self._front_end = front_end
        self._random = np.random.default_rng(seed)
        self._groups: list[list[list[int]]] = []  # class -> group -> clips
        for name in outputs:
            groups: dict[str, list[int]] = {}
            for index, clip in enumerate(clips):
                if name in clip.class_paths:
                    groups.setdefault(clip.group, []).append(index)
            self._groups.append(list(groups.values()))

    def draw(self, count: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """``count`` augmented patches ``[count, frames, bands]`` and their classes as indices ``[count]``."""
        classes = self._random.permutation(np.arange(count) % len(self._groups))
        patches = np.stack([self._crop(self._draw_clip(label)) for label in classes])
        return augment(patches, self._front_end, self._random), classes

    def _draw_clip(self, label: int) -> FloatArray:
        groups = self._groups[label]
        members = groups[self._random.integers(len(groups))]
        return self._clips[members[self._random.integers(len(members))]].log_mel

    def _crop(self, log_mel: FloatArray) -> FloatArray:
        length = self._front_end.patch_frames
        starts = self._random.integers(len(log_mel) - length + 1, size=_CROPS_TO_CHOOSE_FROM)
        crops = [log_mel[start : start + length] for start in starts]
        return max(crops, key=lambda crop: float(crop.max(axis=1).mean()))


def augment(patches: FloatArray, front_end: FrontEnd, random: np.random.Generator) -> FloatArray:
    """Background, equaliser and masks on a batch ``[count, frames, bands]``; returns a new array."""
    mixed = _mix_background(patches, front_end, random)
    mixed += _equaliser(len(patches), front_end.bands, random)
    return _mask(mixed, random)


def _mix_background(patches: FloatArray, front_end: FrontEnd, random: np.random.Generator) -> FloatArray:
    """Add noise of random colour: powers add, so logarithms are combined by logaddexp."""
    count, frames, bands = patches.shape
    centres = np.geomspace(front_end.low_hz, front_end.high_hz, bands)
    octaves = np.log2(centres / np.sqrt(front_end.low_hz * front_end.high_hz))
    tilt = random.uniform(*_TILT_DB_PER_OCTAVE, (count, 1)) * octaves * _DB
    # Power of band-limited Gaussian noise in one frame is roughly Gamma distributed; its logarithm is what we add.
    noise = np.log(random.standard_gamma(2.0, (count, frames, bands), dtype=np.float32) + 1e-3)
    noise += tilt[:, np.newaxis, :]
    loudness = np.log(np.exp(patches).mean(axis=(1, 2), keepdims=True))
    noise_loudness = np.log(np.exp(noise).mean(axis=(1, 2), keepdims=True))
    snr = random.uniform(*_MIX_SNR_DB, (count, 1, 1)) * _DB
    snr[random.random(count) > _MIX_SHARE] = np.inf
    background = (noise - noise_loudness + loudness - snr).astype(np.float32)
    mixed: FloatArray = np.logaddexp(patches, background)
    return mixed


def _equaliser(count: int, bands: int, random: np.random.Generator) -> FloatArray:
    knots = random.normal(0.0, _GAIN_PER_BAND_DB * _DB, (count, 5))
    places = np.linspace(0, 4, bands)
    curves = np.stack([np.interp(places, np.arange(5), row) for row in knots])
    return curves[:, np.newaxis, :].astype(np.float32)


def _mask(patches: FloatArray, random: np.random.Generator) -> FloatArray:
    """One mask in time and one in frequency, filled with the patch's mean."""
    count, frames, bands = patches.shape
    fill = patches.mean(axis=(1, 2), keepdims=True)

    def stripes(length: int, widest: int) -> npt.NDArray[np.bool_]:
        width = random.integers(0, widest + 1, (count, 1))
        start = random.integers(0, length, (count, 1))
        place = np.arange(length)
        return (place >= start) & (place < start + width)

    masked = (
        stripes(frames, _MASKED_FRAMES)[:, :, np.newaxis] | stripes(bands, _MASKED_BANDS)[:, np.newaxis, :]
    )
    return np.where(masked, fill, patches)
