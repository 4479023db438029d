"""What was trained on JAX hears the same under TensorFlow, which serves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.classifiers.training.conftest import made_clips
from tests.classifiers.training.fit_here import PREFIX
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.settings import PROJECT_ROOT
from tidzam_platform.store import LocalStore


def test_a_tree_trained_on_jax_gives_the_same_scores_under_tensorflow(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.classifiers.training.fit_here", str(tmp_path)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    here = TrainedTree.load(LocalStore(tmp_path), PREFIX).clip_scores(made_clips())
    np.testing.assert_allclose(here, np.load(tmp_path / "scores.npy"), atol=1e-4)
