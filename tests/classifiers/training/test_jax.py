"""What was trained on JAX hears the same under TensorFlow, which serves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.classifiers.training.conftest import made_clips
from tests.classifiers.training.fit_here import PREFIX
from tests.support.on_jax import run_on_jax
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.store import LocalStore


@pytest.mark.long  # the front end and networks are compared on both backends every day
def test_a_tree_trained_on_jax_gives_the_same_scores_under_tensorflow(tmp_path: Path) -> None:
    run_on_jax("tests.classifiers.training.fit_here", tmp_path)
    here = TrainedTree.load(LocalStore(tmp_path), PREFIX).clip_scores(made_clips())
    np.testing.assert_allclose(here, np.load(tmp_path / "scores.npy"), atol=1e-4)
