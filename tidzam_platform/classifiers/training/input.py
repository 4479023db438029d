"""The input of training as a tf.data pipeline: crops are gathered and augmented while the model trains."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.training.augmentation import Augmentation, draw_variations
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.sampler import BalancedSampler
from tidzam_platform.classifiers.training.targets import targets_of
from tidzam_platform.settings import TrainingSettings

_VARIATIONS: Final = 1  # tells the draws of variations from those of crops


class EpochInput:
    """Makes the batches of an epoch; the same seed and epoch give the same batches."""

    def __init__(self, examples: Examples, front_end: FrontEnd, settings: TrainingSettings) -> None:
        self._examples = examples
        self._front_end = front_end
        self._settings = settings
        how = settings.augmentation
        if how.variants:  # the clips are stretched and shifted copies already
            how = how.model_copy(update={"time_stretch": 0.0, "pitch_semitones": 0.0})
        self._sampler = BalancedSampler(examples, settings.seed, how, settings.class_balance)
        self._augment = Augmentation(front_end, how.pitch_semitones)
        self._targets = targets_of(examples.labels, examples.nodes)
        self._log_mel: Any = None  # as a tensor, once somebody trains

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return max(1, self._settings.windows_per_epoch // self._settings.batch_size)

    def batches(self, epoch: int) -> Any:
        """tf.data.Dataset of (patches float32 ``[batch, frames, bands]``, targets float32 ``[batch, 3 x nodes]``)."""
        tf = load_tensorflow()
        if self._log_mel is None:
            self._log_mel = tf.convert_to_tensor(self._examples.log_mel)
        draws = self._sampler.draw(epoch, self.steps * self._settings.batch_size)
        variations = draw_variations(
            np.random.default_rng([self._settings.seed, epoch, _VARIATIONS]),
            draws,
            self._front_end,
            self._settings.augmentation,
        )
        drawn: dict[str, Any] = {
            "clips": draws.clips,
            "starts": draws.starts.astype(np.int32),
            "rates": draws.rates,
            "variations": vars(variations),
        }
        if (draws.backgrounds >= 0).any():
            drawn["backgrounds"] = draws.backgrounds.astype(np.int32)
        by_step = tf.nest.map_structure(self._by_step, drawn)
        # One batch is made while the model learns from another.
        return tf.data.Dataset.from_tensor_slices(by_step).map(self._batch).prefetch(1)

    def _by_step(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """``[steps x batch, ...]`` as ``[steps, batch, ...]``."""
        return values.reshape(self.steps, self._settings.batch_size, *values.shape[1:])

    def _batch(self, drawn: dict[str, Any]) -> tuple[Any, Any]:
        """What was drawn for a batch as patches and targets, in the graph."""
        import tensorflow as tf

        targets = tf.gather(tf.constant(self._targets), drawn["clips"])
        patches = self._crops(drawn["starts"], drawn["rates"])
        if "backgrounds" not in drawn:
            return self._augment(patches, targets, drawn["variations"])
        rows = tf.where(drawn["backgrounds"] >= 0)[:, 0]
        under = self._crops(tf.gather(drawn["backgrounds"], rows))
        return self._augment(patches, targets, drawn["variations"], under, rows)

    def _crops(self, starts: Any, rates: Any = None) -> Any:
        """Patches float32 ``[batch, frames, bands]``; faster ones leave frames out, slower ones say them twice."""
        import tensorflow as tf

        steps = tf.range(self._examples.patch_frames)[tf.newaxis]
        if rates is not None:
            steps = tf.cast(tf.floor(tf.cast(steps, tf.float32) * rates[:, tf.newaxis]), tf.int32)
        return tf.gather(self._log_mel, starts[:, tf.newaxis] + steps)
