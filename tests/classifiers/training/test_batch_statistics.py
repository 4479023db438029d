"""Statistics of batch normalisation are those of clean patches, whatever augmented ones left there."""

from __future__ import annotations

import numpy as np

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.training.batch_statistics import CleanPatches, settle_batch_statistics
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import TrainingSettings

EXAMPLES = Examples.of(made_clips(), by_parent(CLASSES), TINY)
SETTINGS = TrainingSettings(batch_size=16)


def test_patches_are_crops_of_the_clips_as_they_are_and_the_same_each_time() -> None:
    clean = CleanPatches.of(EXAMPLES, SETTINGS).batches
    assert clean.shape[1:] == (16, TINY.patch_frames, TINY.bands)
    np.testing.assert_array_equal(clean, CleanPatches.of(EXAMPLES, SETTINGS).batches)
    first = clean[0, 0]
    starts = np.flatnonzero((EXAMPLES.log_mel == first[0]).all(axis=1))
    assert len(starts) == 1
    np.testing.assert_array_equal(first, EXAMPLES.log_mel[starts[0] : starts[0] + TINY.patch_frames])


def test_moving_statistics_become_those_of_the_clean_patches_and_nothing_else_changes() -> None:
    keras = load_keras()
    clean = CleanPatches.of(EXAMPLES, SETTINGS)
    norm = keras.layers.BatchNormalization(momentum=0.9)
    inner = keras.Sequential([keras.Input((TINY.patch_frames, TINY.bands)), norm])
    model = keras.Sequential([keras.Input((TINY.patch_frames, TINY.bands)), inner, keras.layers.Dense(2)])
    before = [weight.numpy() for weight in model.trainable_weights]
    settle_batch_statistics(model, clean)
    rows = clean.batches.reshape(-1, TINY.bands)
    np.testing.assert_allclose(norm.moving_mean.numpy(), rows.mean(axis=0), rtol=1e-4)
    # The mean of the batches' variances: less than that of all by what their means scatter.
    within = clean.batches.var(axis=(1, 2)).mean(axis=0)
    np.testing.assert_allclose(norm.moving_variance.numpy(), within, rtol=1e-3)
    assert norm.momentum == 0.9
    for weight, was in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), was)


def test_a_model_without_batch_normalisation_is_left_alone() -> None:
    keras = load_keras()
    model = keras.Sequential([keras.Input((TINY.patch_frames, TINY.bands)), keras.layers.Dense(2)])
    settle_batch_statistics(model, CleanPatches(np.zeros((1, 1, 1, 1), np.float32)))  # a call would fail
