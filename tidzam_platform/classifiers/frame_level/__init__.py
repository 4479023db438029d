"""Clip models on sequences of embeddings, one a second as in AudioSet: YouTube-8M's frame-level models."""

from tidzam_platform.classifiers.frame_level.figures import hit_at_1, mean_average_precision
from tidzam_platform.classifiers.frame_level.models import MODELS, build_frame_level
from tidzam_platform.classifiers.frame_level.reader import AUDIOSET_CLASSES, read_examples
from tidzam_platform.classifiers.frame_level.training import (
    FrameLevelResult,
    FrameLevelSettings,
    train_frame_level,
)

__all__ = [
    "AUDIOSET_CLASSES",
    "MODELS",
    "FrameLevelResult",
    "FrameLevelSettings",
    "build_frame_level",
    "hit_at_1",
    "mean_average_precision",
    "read_examples",
    "train_frame_level",
]
