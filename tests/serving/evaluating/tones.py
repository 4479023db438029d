"""A model whose answers can be worked out by hand: a score is the share of the power at the class's tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serving.prediction import Prediction
from serving.signature import ClassDescription, ModelDescription
from tidzam_platform.audio import Window, write_audio

RATE_HZ = 8000
NO_SIGNAL_DBFS = -65.0
TONES_HZ = {"animal-cat": 500, "animal-dog": 1000, "machine-saw": 2000, "noise": 3000}
CLASSES = (
    ClassDescription("animal", None, 0.5),
    ClassDescription("animal-cat", "animal", 0.5),
    ClassDescription("animal-dog", "animal", 0.5),
    ClassDescription("machine", None, 0.5),
    ClassDescription("machine-saw", "machine", 0.5),
    ClassDescription("noise", None, 0.5),
)


class ToneModel:
    """Hears tones exactly, in windows of 1 s every 0.5 s."""

    def describe(self) -> ModelDescription:
        return ModelDescription(CLASSES, RATE_HZ, 1.0, 0.5, generation=7, dataset_version="tones")

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        return self.predict(np.concatenate([window.samples for window in windows]))

    def predict(self, audio: NDArray[np.float32]) -> Prediction:
        assert audio.shape[1] == RATE_HZ
        spectrum = np.abs(np.fft.rfft(audio, axis=1)) ** 2
        whole = np.maximum(spectrum.sum(axis=1), 1e-12)
        # A second of 8000 samples: bin k is k Hz. Neighbours hold what a tone that begins within the window spreads.
        shares = {
            path: spectrum[:, tone - 100 : tone + 101].sum(axis=1) / whole for path, tone in TONES_HZ.items()
        }
        shares["animal"] = shares["animal-cat"] + shares["animal-dog"]
        shares["machine"] = shares["machine-saw"]
        level_dbfs = 10 * np.log10(np.maximum((audio**2).mean(axis=1), 1e-20))
        scores = np.stack([shares[known.path] for known in CLASSES], axis=1)
        return Prediction(
            np.minimum(scores, 1).astype(np.float32),
            scores.astype(np.float32),
            level_dbfs.astype(np.float32),
            7,
        )


def tone(seconds: float, **power: float) -> NDArray[np.float32]:
    """Tones by the last part of their class, each with its share of the power: float32 ``[samples]``."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hz = {path.rpartition("-")[2]: tone_hz for path, tone_hz in TONES_HZ.items()}
    sound = np.zeros(len(time_s))
    for name, share in power.items():
        sound += 0.3 * np.sqrt(share) * np.sin(2 * np.pi * hz[name] * time_s)
    return sound.astype(np.float32)


def write_wav(path: Path, *channels: NDArray[np.float32]) -> Path:
    """Write channels of equal length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, np.stack(channels), RATE_HZ, codec="wav")
    return path
