"""Augmentation of log-mel patches, as a TensorFlow graph that runs beside the training step.

Random numbers follow from the seed that comes with a batch, so that a batch is the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.settings import AugmentationSettings

_NEPERS_PER_DB: Final = float(np.log(10.0) / 10.0)  # a decibel of power in natural logarithm
_EQUALISER_KNOTS: Final = 5


@dataclass(frozen=True)
class Augmentation:
    """Gain, equaliser, background, mixup (Zhang 2018) and SpecAugment (Park 2019) on batches.

    Powers add where sounds mix, so logarithms are combined by logaddexp.
    """

    front_end: FrontEnd
    settings: AugmentationSettings

    def __call__(
        self, patches: Any, targets: Any, seed: Any, backgrounds: Any = None, mixed: Any = None
    ) -> tuple[Any, Any]:
        """Augment a batch.

        Args:
            patches: float32 tensor ``[batch, frames, bands]``, log-mel.
            targets: float32 ``[batch, nodes]``.
            seed: int32 ``[2]``.
            backgrounds: like ``patches``, what to mix under each; None for no background at all.
            mixed: bool ``[batch]``; where false nothing is mixed under.

        Returns:
            patches and targets of the same shapes.
        """
        random = _Random(seed)
        if backgrounds is not None:
            patches = self._mix_background(patches, backgrounds, mixed, random)
        patches = self._colour(patches, random)
        patches, targets = self._mix_up(patches, targets, random)
        return self._mask(patches, random), targets

    def _mix_background(self, patches: Any, backgrounds: Any, mixed: Any, random: _Random) -> Any:
        import tensorflow as tf

        snr_db = random.uniform((tf.shape(patches)[0], 1, 1), *self.settings.background_snr_db)
        offset = _loudness(patches) - _loudness(backgrounds) - snr_db * _NEPERS_PER_DB
        return tf.where(
            mixed[:, tf.newaxis, tf.newaxis],
            tf.math.log(tf.exp(patches) + tf.exp(backgrounds + offset)),
            patches,
        )

    def _colour(self, patches: Any, random: _Random) -> Any:
        """A gain, and a slow random curve over the bands: microphones and distances differ."""
        import tensorflow as tf

        count = tf.shape(patches)[0]
        gain = random.normal((count, 1, 1)) * (self.settings.gain_db * _NEPERS_PER_DB)
        knots = random.normal((count, _EQUALISER_KNOTS)) * (self.settings.equaliser_db * _NEPERS_PER_DB)
        curve = knots @ _interpolation(_EQUALISER_KNOTS, self.front_end.bands)
        return patches + gain + curve[:, tf.newaxis, :]

    def _mix_up(self, patches: Any, targets: Any, random: _Random) -> tuple[Any, Any]:
        import tensorflow as tf

        alpha = self.settings.mixup
        if alpha == 0:
            return patches, targets
        # A Beta(alpha, alpha) draw is one Gamma(alpha) draw over the sum of two.
        first, second = (random.gamma((tf.shape(patches)[0],), alpha) + 1e-7 for _ in range(2))
        share = first / (first + second)
        own, other = share[:, tf.newaxis, tf.newaxis], 1 - share[:, tf.newaxis, tf.newaxis]
        power = tf.exp(patches)
        mixed = tf.math.log(own * power + other * tf.reverse(power, [0]))
        share = share[:, tf.newaxis]
        return mixed, share * targets + (1 - share) * tf.reverse(targets, [0])

    def _mask(self, patches: Any, random: _Random) -> Any:
        """One stripe in time and one in frequency, filled with the patch's mean."""
        import tensorflow as tf

        fill = tf.reduce_mean(patches, [1, 2], keepdims=True)
        count, frames, bands = tf.shape(patches)[0], self.front_end.patch_frames, self.front_end.bands
        in_time = random.stripes(count, frames, self.settings.masked_frames)
        in_frequency = random.stripes(count, bands, self.settings.masked_bands)
        return tf.where(in_time[:, :, tf.newaxis] | in_frequency[:, tf.newaxis, :], fill, patches)


class _Random:
    """Stateless draws, each from a seed of its own that follows from the batch's."""

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self._drawn = 0

    def _next(self) -> Any:
        import tensorflow as tf

        self._drawn += 1
        return self._seed + tf.constant([0, self._drawn << 20], tf.int32)  # steps count far below

    def uniform(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        import tensorflow as tf

        return tf.random.stateless_uniform(shape, self._next(), low, high)

    def normal(self, shape: tuple[Any, ...]) -> Any:
        import tensorflow as tf

        return tf.random.stateless_normal(shape, self._next())

    def gamma(self, shape: tuple[Any, ...], alpha: float) -> Any:
        import tensorflow as tf

        return tf.random.stateless_gamma(shape, self._next(), alpha)

    def stripes(self, count: Any, length: int, widest: int) -> Any:
        """Bool ``[count, length]``: a stripe of 0 to ``widest``, anywhere."""
        import tensorflow as tf

        width = tf.floor(self.uniform((count, 1), 0.0, widest + 1.0))
        start = tf.floor(self.uniform((count, 1), 0.0, float(length)))
        place = tf.range(length, dtype=tf.float32)
        return (place >= start) & (place < start + width)


def _loudness(patches: Any) -> Any:
    """Logarithm of the mean power, ``[batch, 1, 1]``."""
    import tensorflow as tf

    return tf.math.log(tf.reduce_mean(tf.exp(patches), [1, 2], keepdims=True))


def _interpolation(knots: int, bands: int) -> Any:
    """Matrix ``[knots, bands]`` that interpolates linearly between knots spread evenly over the bands."""
    places = np.linspace(0, knots - 1, bands)
    distance = np.abs(places[np.newaxis] - np.arange(knots)[:, np.newaxis])
    return np.maximum(0, 1 - distance).astype(np.float32)
