"""What was trained under one backend of Keras answers the same under another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.classifiers.architectures.made import trained_looking_trunk
from tests.classifiers.backend_answers import (
    FRAME_LEVEL_CLASSES,
    HEAD_CLASSES,
    HEAD_WIDTH,
    SMALL,
    answers,
)
from tests.support.on_jax import run_on_jax
from tidzam_platform.classifiers.architectures import ARCHITECTURES, weight_arrays
from tidzam_platform.classifiers.frame_level import MODELS, build_frame_level
from tidzam_platform.classifiers.heads import HEADS

WITHIN = 1e-4


def _write_weights(folder: Path) -> None:
    random = np.random.default_rng(1)
    for name in ARCHITECTURES:
        np.savez(folder / f"trunk.{name}.npz", **weight_arrays(trained_looking_trunk(name, SMALL)))
    examples = random.standard_normal((120, HEAD_WIDTH)).astype(np.float32)
    for name, head in HEADS.items():
        np.savez(
            folder / f"head.{name}.npz",
            **head.fit(examples, np.arange(120) % HEAD_CLASSES, HEAD_CLASSES, seed=0),
        )
    for name in MODELS:
        weights = build_frame_level(name, FRAME_LEVEL_CLASSES).get_weights()
        np.savez(
            folder / f"frame_level.{name}.npz", **{str(index): value for index, value in enumerate(weights)}
        )


@pytest.mark.long  # JAX compiles every layer of every trunk: a minute or more
@pytest.mark.timeout(1200)
def test_jax_answers_as_tensorflow(tmp_path: Path) -> None:
    _write_weights(tmp_path)
    here = answers(tmp_path)
    run_on_jax("tests.classifiers.backend_answers", tmp_path, timeout_s=900)
    with np.load(tmp_path / "jax.npz", allow_pickle=False) as there:
        assert sorted(there.files) == sorted(here)
        assert len(here) == 3 * 4 + len(ARCHITECTURES) + len(HEADS) + len(MODELS)
        for name, answer in here.items():
            assert np.abs(answer).max() > 0, name
            np.testing.assert_allclose(there[name], answer, atol=WITHIN, rtol=WITHIN, err_msg=name)
