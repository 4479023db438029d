"""Augmentation of log-mel patches, as a TensorFlow graph that runs beside the training step.

All random numbers are drawn before (``Variations``), so that the graph is plain arithmetic and a batch is the same in
every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.front_end import FrontEnd, band_centres_hz
from tidzam_platform.classifiers.training.sampler import Draws
from tidzam_platform.settings import AugmentationSettings

FloatArray = npt.NDArray[np.float32]

_NEPERS_PER_DB: Final = float(np.log(10.0) / 10.0)  # a decibel of power in natural logarithm
_EQUALISER_KNOTS: Final = 5
_PITCHES: Final = 17  # from lowest to highest, an odd number: the middle one is no shift


@dataclass(frozen=True)
class Variations:
    """How each patch of an epoch is varied.

    Attributes:
        curve: float32 ``[count, knots]``, gain and slow curve over the bands, in nepers of power.
        share: float32 ``[count]`` in [0, 1], of the patch where two are mixed up.
        snr: float32 ``[count]``, level of the patch above what is mixed under it, in nepers of power.
        tilt: float32 ``[count]``, slope of what is mixed under it, in nepers of power per octave.
        pitch: int32 ``[count]``, which of the shifts of pitch it gets.
        stripes: float32 ``[count, 4]``: first frame and width of the mask in time, first band and width of that in
            frequency.
    """

    curve: FloatArray
    share: FloatArray
    snr: FloatArray
    tilt: FloatArray
    pitch: npt.NDArray[np.int32]
    stripes: FloatArray

    def part(self, rows: slice) -> dict[str, Any]:
        """Those of a batch, by name."""
        return {name: values[rows] for name, values in vars(self).items()}


def draw_variations(
    random: np.random.Generator, draws: Draws, front_end: FrontEnd, settings: AugmentationSettings
) -> Variations:
    """Draw variations of the patches that were drawn."""
    count = len(draws.clips)
    gain = random.normal(0.0, settings.gain_db, (count, 1))
    curve = gain + random.normal(0.0, settings.equaliser_db, (count, _EQUALISER_KNOTS))
    share = random.beta(settings.mixup, settings.mixup, count) if settings.mixup else np.ones(count)
    snr_db = random.uniform(*settings.background_snr_db, count) - draws.louder_db
    widths = [
        random.integers(0, widest + 1, count) for widest in (settings.masked_frames, settings.masked_bands)
    ]
    starts = [random.integers(0, length, count) for length in (front_end.patch_frames, front_end.bands)]
    stripes = np.stack([starts[0], widths[0], starts[1], widths[1]], axis=1)
    return Variations(
        (curve * _NEPERS_PER_DB).astype(np.float32),
        share.astype(np.float32),
        (snr_db * _NEPERS_PER_DB).astype(np.float32),
        (draws.tilts_db * _NEPERS_PER_DB).astype(np.float32),
        random.integers(0, _PITCHES, count, np.int32),
        stripes.astype(np.float32),
    )


@dataclass(frozen=True)
class Augmentation:
    """Shift of pitch, background, gain and equaliser, mixup (Zhang 2018), SpecAugment (Park 2019) on batches.

    Where sounds mix their powers add, so all but the masks are done on powers: one exponential and one logarithm.
    """

    front_end: FrontEnd
    pitch_semitones: float = 0.0

    def __call__(
        self,
        patches: Any,
        targets: Any,
        variations: dict[str, Any],
        backgrounds: Any = None,
        rows: Any = None,
    ) -> tuple[Any, Any]:
        """Augment a batch.

        Args:
            patches: float32 tensor ``[batch, frames, bands]``, log-mel.
            targets: float32 ``[batch, nodes]``.
            variations: the batch's part of ``Variations``.
            backgrounds: float32 ``[len(rows), frames, bands]``, what to mix under some; None for no background at all.
            rows: int64, which patches of the batch these are.

        Returns:
            patches and targets of the same shapes.
        """
        import tensorflow as tf

        if self.pitch_semitones:
            shifts = tf.constant(_pitch_shifts(self.front_end, self.pitch_semitones))
            patches = patches @ tf.gather(shifts, variations["pitch"])
        power = tf.exp(patches)
        if backgrounds is not None:
            tilt, snr = (tf.gather(variations[name], rows)[:, tf.newaxis] for name in ("tilt", "snr"))
            under = tf.exp(backgrounds + (tilt * _octaves(self.front_end))[:, tf.newaxis, :])
            above = tf.gather(power, rows)
            above += under * (_mean(above) / _mean(under) * tf.exp(-snr)[:, tf.newaxis])
            power = tf.tensor_scatter_nd_update(power, rows[:, tf.newaxis], above)
        curve = variations["curve"] @ _interpolation(_EQUALISER_KNOTS, self.front_end.bands)
        share = variations["share"][:, tf.newaxis]
        power *= tf.exp(curve)[:, tf.newaxis, :]
        power = share[:, :, tf.newaxis] * power + (1 - share)[:, :, tf.newaxis] * tf.reverse(power, [0])
        targets = share * targets + (1 - share) * tf.reverse(targets, [0])
        return self._mask(tf.math.log(power), variations["stripes"]), targets

    def _mask(self, patches: Any, stripes: Any) -> Any:
        """One stripe in time and one in frequency, filled with the patch's mean."""
        import tensorflow as tf

        fill = tf.reduce_mean(patches, [1, 2], keepdims=True)
        in_time = _stripe(stripes[:, 0:2], self.front_end.patch_frames)
        in_frequency = _stripe(stripes[:, 2:4], self.front_end.bands)
        return tf.where(in_time[:, :, tf.newaxis] | in_frequency[:, tf.newaxis, :], fill, patches)


def _stripe(begin_and_width: Any, length: int) -> Any:
    """Bool ``[batch, length]``: true from ``begin`` on, ``width`` long."""
    import tensorflow as tf

    place = tf.range(length, dtype=tf.float32)
    begin, width = begin_and_width[:, 0:1], begin_and_width[:, 1:2]
    return (place >= begin) & (place < begin + width)


def _mean(power: Any) -> Any:
    """Mean power of each patch, ``[batch, 1, 1]``."""
    import tensorflow as tf

    return tf.reduce_mean(power, [1, 2], keepdims=True)


def _octaves(front_end: FrontEnd) -> FloatArray:
    """How far each band's centre lies above the middle of the range, in octaves, float32 ``[bands]``."""
    centres = band_centres_hz(front_end)
    octaves: FloatArray = np.log2(centres / np.sqrt(centres[0] * centres[-1])).astype(np.float32)
    return octaves


def _pitch_shifts(front_end: FrontEnd, semitones: float) -> FloatArray:
    """Matrices ``[pitches, bands, bands]`` that shift a patch in frequency, by interpolation between bands."""
    centres, bands = band_centres_hz(front_end), np.arange(front_end.bands)
    shifts = []
    for step in np.linspace(-semitones, semitones, _PITCHES):
        comes_from = np.interp(centres * 2 ** (-step / 12), centres, bands)
        shifts.append(np.maximum(0, 1 - np.abs(comes_from[np.newaxis] - bands[:, np.newaxis])))
    return np.array(shifts, np.float32)


def _interpolation(knots: int, bands: int) -> FloatArray:
    """Matrix ``[knots, bands]`` that interpolates linearly between knots spread evenly over the bands."""
    places = np.linspace(0, knots - 1, bands)
    distance = np.abs(places[np.newaxis] - np.arange(knots)[:, np.newaxis])
    matrix: FloatArray = np.maximum(0, 1 - distance).astype(np.float32)
    return matrix
