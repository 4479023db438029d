"""What training is fed: the patches that were drawn, played as fast as drawn, with the targets of their clips."""

from __future__ import annotations

import numpy as np
import pytest

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.input import EpochInput
from tidzam_platform.classifiers.training.sampler import BalancedSampler
from tidzam_platform.classifiers.training.targets import targets_of
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import AugmentationSettings, TrainingSettings

PLAIN = AugmentationSettings(
    noise_share=0,
    time_stretch=0,
    pitch_semitones=0,
    gain_db=0,
    equaliser_db=0,
    mixup=0,
    masked_frames=0,
    masked_bands=0,
)
EXAMPLES = Examples.of(made_clips(), by_parent(CLASSES), TINY, ("noise",))


def settings_of(augmentation: AugmentationSettings) -> TrainingSettings:
    return TrainingSettings(windows_per_epoch=64, batch_size=16, augmentation=augmentation)


def batches(augmentation: AugmentationSettings, epoch: int = 1) -> tuple[np.ndarray, np.ndarray]:
    made = list(EpochInput(EXAMPLES, TINY, settings_of(augmentation)).batches(epoch))
    assert len(made) == 4
    return tuple(np.concatenate([np.asarray(batch[part]) for batch in made]) for part in (0, 1))  # type: ignore[return-value]


@pytest.mark.parametrize("stretch", [0.0, 0.5])
def test_without_augmentation_patches_are_the_crops_that_were_drawn(stretch: float) -> None:
    augmentation = PLAIN.model_copy(update={"time_stretch": stretch})
    settings = settings_of(augmentation)
    draws = BalancedSampler(EXAMPLES, settings.seed, augmentation, settings.class_balance).draw(1, 64)
    patches, targets = batches(augmentation)
    np.testing.assert_array_equal(targets, targets_of(EXAMPLES.labels, EXAMPLES.nodes)[draws.clips])
    for patch, start, rate in zip(patches, draws.starts, draws.rates, strict=True):
        frames = start + np.floor(np.arange(TINY.patch_frames) * np.float32(rate)).astype(int)
        np.testing.assert_allclose(patch, EXAMPLES.log_mel[frames], atol=1e-4)
    rates = draws.rates
    assert (rates == 1).all() if stretch == 0 else rates.min() < 0.75 < 1 < rates.max() <= 1.5


def test_the_same_epoch_gives_the_same_batches_and_another_gives_others() -> None:
    everything = AugmentationSettings(background_share=0.5, time_stretch=0.2, pitch_semitones=1)
    first, again, other = (batches(everything, epoch) for epoch in (1, 1, 2))
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])
    assert np.isfinite(first[0]).all()
