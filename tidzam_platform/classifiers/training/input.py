"""The input of training as a tf.data pipeline: crops are gathered and augmented while the model trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.training.augmentation import Augmentation
from tidzam_platform.classifiers.training.examples import Examples, FloatArray
from tidzam_platform.classifiers.training.sampler import BalancedSampler
from tidzam_platform.settings import TrainingSettings


class EpochInput:
    """Makes the batches of an epoch; the same seed and epoch give the same batches."""

    def __init__(self, examples: Examples, front_end: FrontEnd, settings: TrainingSettings) -> None:
        self._examples = examples
        self._settings = settings
        self._sampler = BalancedSampler(examples, settings.seed, settings.augmentation.background_share)
        self._augment = Augmentation(front_end, settings.augmentation)
        self._targets = np.zeros((len(examples.labels), len(examples.nodes)), np.float32)
        for clip, labels in enumerate(examples.labels):
            self._targets[clip, list(labels)] = 1 / len(labels)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return max(1, self._settings.windows_per_epoch // self._settings.batch_size)

    def batches(self, epoch: int) -> Any:
        """tf.data.Dataset of (patches float32 ``[batch, frames, bands]``, targets float32 ``[batch, nodes]``)."""
        load_tensorflow()
        import tensorflow as tf

        size = self._settings.batch_size
        draws = self._sampler.draw(epoch, self.steps * size)
        patches = tf.TensorSpec(
            (size, self._examples.patch_frames, self._examples.log_mel.shape[1]), tf.float32
        )
        epoch_seed = int(np.random.SeedSequence([self._settings.seed, epoch]).generate_state(1)[0] >> 1)

        def gathered() -> Iterator[tuple[Any, ...]]:
            for step in range(self.steps):
                part = slice(step * size, (step + 1) * size)
                seed = np.array([epoch_seed, step], np.int32)
                sounds = (self._crops(draws.starts[part]), self._targets[draws.clips[part]], seed)
                under = draws.backgrounds[part]
                yield (*sounds, self._crops(np.maximum(under, 0)), under >= 0) if with_background else sounds

        targets = tf.TensorSpec((size, self._targets.shape[1]), tf.float32)
        signature: tuple[Any, ...] = (patches, targets, tf.TensorSpec((2,), tf.int32))
        if with_background := bool((draws.backgrounds >= 0).any()):
            signature = (*signature, patches, tf.TensorSpec((size,), tf.bool))
        # One batch is gathered while another is augmented and a third is learnt from.
        drawn = tf.data.Dataset.from_generator(gathered, output_signature=signature).prefetch(1)
        counted = drawn.apply(tf.data.experimental.assert_cardinality(self.steps))
        return counted.map(self._augment).prefetch(1)

    def _crops(self, starts: Any) -> FloatArray:
        crops: FloatArray = self._examples.log_mel[
            starts[:, np.newaxis] + np.arange(self._examples.patch_frames)
        ]
        return crops
