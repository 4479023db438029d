"""Stretched and shifted copies of training clips, made by librosa's phase vocoder once and kept on disk.

The same variations can be done on log-mel patches as they are drawn, which costs next to nothing and never repeats;
that is the default. A phase vocoder keeps harmonics apart that bands of log-mel blur.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures, clip_features
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.files import write_whole
from tidzam_platform.settings import AugmentationSettings

_KINDS_KEPT: Final = 3  # copies made with other settings or another front end are dropped, the oldest first
_MADE_BY: Final = 1  # counted up when copies are made otherwise

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClipVariants:
    """Makes the copies of clips, or reads those that were made before.

    Attributes:
        folder: of the copies of this kind.
        front_end: that their features are made by.
        settings: how many copies, and how far they are stretched and shifted.
    """

    folder: Path
    front_end: FrontEnd
    settings: AugmentationSettings

    @classmethod
    def below(cls, cache: Path, front_end: FrontEnd, settings: AugmentationSettings) -> ClipVariants:
        """With copies kept below ``cache``; those of kinds that were not used for long are removed."""
        kind = [front_end.to_dict(), settings.time_stretch, settings.pitch_semitones, _MADE_BY]
        name = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()[:16]
        folder = cache / name
        if settings.variants:
            folder.mkdir(parents=True, exist_ok=True)
            folder.touch()
            kinds = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in kinds[_KINDS_KEPT:]:
                shutil.rmtree(old)
        return cls(folder, front_end, settings)

    def of(self, clip: ClipFeatures, audio: FloatArray) -> list[ClipFeatures]:
        """The copies of a clip, whose ``audio`` float32 ``[samples]`` is at the front end's rate."""
        return [
            replace(clip, log_mel=log_mel, offsets=offsets)
            for log_mel, offsets in (
                self._copy(clip, audio, number) for number in range(self.settings.variants)
            )
        ]

    def _copy(self, clip: ClipFeatures, audio: FloatArray, number: int) -> tuple[FloatArray, tuple[int, ...]]:
        kept = self.folder / f"{clip.sha256}-{number}.npz"
        if not kept.exists():
            log_mel, offsets = clip_features(self._varied(clip.sha256, audio, number), self.front_end)
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, log_mel=log_mel, offsets=np.array(offsets))
            write_whole(kept, buffer.getvalue())
        with np.load(kept, allow_pickle=False) as arrays:
            return arrays["log_mel"], tuple(arrays["offsets"].tolist())

    def _varied(self, sha256: str, audio: FloatArray, number: int) -> FloatArray:
        """The copy is a matter of the clip and the number alone, so that it is the same wherever it is made."""
        from librosa.effects import pitch_shift, time_stretch

        seed = hashlib.sha256(f"{sha256} {number}".encode()).digest()
        random = np.random.default_rng(np.frombuffer(seed, np.uint32))
        spread = np.log1p(self.settings.time_stretch)
        rate = float(np.exp(random.uniform(-spread, spread)))
        semitones = float(random.uniform(-1, 1)) * self.settings.pitch_semitones
        n_fft = min(self.front_end.fft_frames, len(audio))
        stretched = time_stretch(audio, rate=rate, n_fft=n_fft)
        shifted = pitch_shift(stretched, sr=self.front_end.rate_hz, n_steps=semitones, n_fft=n_fft)
        return np.asarray(np.clip(shifted, -1, 1), np.float32)
