"""Clips that are quick to learn: each class has energy in bands of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.settings import TrainingSettings

CLASSES = ("animal-bird", "animal-frog", "human", "noise")
TINY = FrontEnd(
    rate_hz=8_000, fft_frames=256, stft_window_frames=200, stft_hop_frames=80, bands=16, high_hz=4_000.0
)


def made_clips(
    classes: Sequence[str] = CLASSES, groups: int = 6, clips_per_group: int = 2, seed: int = 0
) -> list[ClipFeatures]:
    """Clips of noise with one loud band a class; the last two groups of a class are validation and test."""
    random = np.random.default_rng(seed)
    clips = []
    for column, name in enumerate(classes):
        for group in range(groups):
            side = {groups - 1: "test", groups - 2: "validation"}.get(group, "train")
            for number in range(clips_per_group):
                frames = int(random.integers(TINY.patch_frames, 3 * TINY.patch_frames))
                log_mel = random.normal(-10, 1, (frames, TINY.bands)).astype(np.float32)
                log_mel[:, 3 * column : 3 * column + 3] += 5
                clips.append(
                    ClipFeatures(
                        f"{name}{group}{number}",
                        log_mel,
                        tuple(range(0, frames - TINY.patch_frames + 1, 40)),
                        (name,),
                        f"{name}-{group}",
                        side,  # type: ignore[arg-type]
                    )
                )
    return clips


QUICK = TrainingSettings(max_epochs=5, patience=5, windows_per_epoch=256, batch_size=32, learning_rate=5e-3)
"""Settings of a training that takes seconds."""


@pytest.fixture
def quick() -> TrainingSettings:
    """``QUICK``."""
    return QUICK
