"""A SavedModel called in this process, batch after batch: what a server is measured against."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.benchmarks.random_versions import noise
from serving.loading import load_version
from serving.signature import AUDIO_INPUT, PREDICT_OUTPUTS, PREDICT_SIGNATURE

_RUN_LIMIT_S: Final = 60.0
_WARM_UP_RUNS: Final = 2


@dataclass(frozen=True)
class BatchSpeed:
    """How fast batches of one size go, one after another, on all cores."""

    windows_per_s: float
    batch_ms: float
    cpu_ms_per_window: float


class InProcess:
    """One version, loaded into this process."""

    def __init__(self, version_folder: Path) -> None:
        self._model, description = load_version(version_folder)
        self.samples = description.window_frames

    def measure(self, batch: int, seconds: float) -> BatchSpeed:
        """Run batches of so many windows for ``seconds``, two more at first that do not count."""
        audio = noise(batch, self.samples)
        for _ in range(_WARM_UP_RUNS):
            self._model.run(PREDICT_SIGNATURE, {AUDIO_INPUT: audio}, PREDICT_OUTPUTS, _RUN_LIMIT_S)
        runs, began_s, began_cpu_s = 0, time.monotonic(), time.process_time()
        while runs == 0 or time.monotonic() - began_s < seconds:
            self._model.run(PREDICT_SIGNATURE, {AUDIO_INPUT: audio}, PREDICT_OUTPUTS, _RUN_LIMIT_S)
            runs += 1
        elapsed_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
        return BatchSpeed(runs * batch / elapsed_s, elapsed_s / runs * 1e3, cpu_s / (runs * batch) * 1e3)

    def close(self) -> None:
        """Give the memory back."""
        self._model.close()
