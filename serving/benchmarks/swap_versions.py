"""The versions that are swapped: good ones, a damaged one, and one whose warm-up fails."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from serving.benchmarks.random_versions import FloatArray, noise
from serving.benchmarks.swap_traffic import TOLERANCE
from serving.loading import load_version
from serving.repository import ModelRepository
from serving.signature import AUDIO_INPUT, PREDICT_SIGNATURE, SCORES_OUTPUT
from serving.warm_up import write_warm_up
from tidzam_platform.errors import ModelServerError

_RUN_LIMIT_S: Final = 60.0
_WINDOWS: Final = 4

Export = Callable[[int, Path], None]


@dataclass(frozen=True)
class Versions:
    """Which versions a bench swaps: two that it goes back to, others that it goes on to, and the two bad ones."""

    oldest: int = 1
    base: int = 2
    newer: tuple[int, ...] = (3, 4)
    corrupt: int = 5
    unfit: int = 6

    @property
    def good(self) -> tuple[int, ...]:
        """Those that may answer."""
        return (self.oldest, self.base, *self.newer)

    @property
    def bad(self) -> tuple[int, ...]:
        """Those that never may."""
        return (self.corrupt, self.unfit)


def publish_versions(home: Path, versions: Versions, export: Export) -> None:
    """Publish all versions; one is damaged afterwards, the warm-up requests of another do not fit it."""
    repository = ModelRepository(home / "models")
    for version in (*versions.good, *versions.bad):
        with repository.staging() as staged:
            export(version, staged)
            if version == versions.unfit:
                write_warm_up(staged, noise(1, 10))  # windows of ten samples
            repository.publish(version, staged)
    weights = next((repository.path(versions.corrupt) / "variables").glob("*.data-*"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


def expected_scores(
    repository: ModelRepository, versions: Collection[int]
) -> tuple[FloatArray, dict[int, FloatArray]]:
    """Some windows, and their scores by version; one that answered in another's name would be found out."""
    windows, expected = np.zeros((0, 0), np.float32), {}
    for version in versions:
        model, description = load_version(repository.path(version))
        with closing(model):
            windows = noise(_WINDOWS, description.window_frames)
            answer = model.run(PREDICT_SIGNATURE, {AUDIO_INPUT: windows}, (SCORES_OUTPUT,), _RUN_LIMIT_S)
        expected[version] = answer[SCORES_OUTPUT]
    for (one, scores), (other, others) in combinations(expected.items(), 2):
        if np.abs(scores - others).max(axis=1).min() < 2 * TOLERANCE:
            raise ModelServerError(f"versions {one} and {other} answer alike: nothing would tell them apart")
    return windows, expected
