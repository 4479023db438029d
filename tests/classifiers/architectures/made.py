"""Trunks and patches that the tests of architectures share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tidzam_platform.classifiers.architectures import build_trunk
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd


def patches(front_end: FrontEnd, count: int = 4, seed: int = 0) -> np.ndarray:
    """Standardised patches, float32 ``[count, patch_frames, bands]``."""
    shape = (count, front_end.patch_frames, front_end.bands)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def seeded_trunk(name: str, front_end: FrontEnd, seed: int = 1) -> Any:
    load_keras().utils.set_random_seed(seed)
    return build_trunk(name, front_end)


@cache
def fresh_trunk(name: str, front_end: FrontEnd) -> Any:
    """A trunk that no test may change; building one takes up to seconds."""
    return seeded_trunk(name, front_end)


def trained_looking_trunk(name: str, front_end: FrontEnd) -> Any:
    """A trunk none of whose weights is still what fresh layers have in common: zeros, or ones."""
    trunk = seeded_trunk(name, front_end)
    random = np.random.default_rng(7)
    for layer in trunk.layers:
        values = layer.get_weights()
        if values:
            factors = [random.uniform(0.7, 1.3, value.shape) for value in values]
            shifts = [0.0 if value.any() else random.normal(0, 0.05, value.shape) for value in values]
            layer.set_weights([v * f + s for v, f, s in zip(values, factors, shifts, strict=True)])
    return trunk


def embeddings(trunk: Any, batch: np.ndarray) -> np.ndarray:
    return np.asarray(trunk(batch, training=False))
