"""The clips that training draws from, laid out for quick draws: one long log-mel and where each clip lies in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.decision import NO_SIGNAL
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.front_end.continuous import log_mel_of_signal
from tidzam_platform.classifiers.training.targets import labelled_clips
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import TrainingError
from tidzam_platform.labels.class_paths import is_within

_NOISE_S: Final = 60.0  # of white noise to cut backgrounds from

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Clips with their labels.

    Attributes:
        log_mel: float32 ``[frames, bands]``, clip after clip, then white noise.
        first_frame: int64 ``[clips]``, where each begins.
        frames: int64 ``[clips]``, how long each is; at least ``patch_frames``.
        loudness: float64 ``[frames + 1]``, running sum over frames of the loudest band: the loudness of any crop
            is one subtraction.
        labels: tuple of node indices a clip.
        nodes: what the indices mean.
        groups: of each clip.
        is_background: bool ``[clips]``, whether it may be mixed under others, and takes nothing under itself.
        is_silence: bool ``[clips]``, whether nothing is to be heard in it, noise neither.
        noise_start: first frame of the white noise, which reaches to the end of ``log_mel``.
        patch_frames: STFT frames in a window.
    """

    log_mel: FloatArray
    first_frame: IntArray
    frames: IntArray
    loudness: npt.NDArray[np.float64]
    labels: tuple[tuple[int, ...], ...]
    nodes: tuple[str, ...]
    groups: tuple[str, ...]
    is_background: npt.NDArray[np.bool_]
    is_silence: npt.NDArray[np.bool_]
    noise_start: int
    patch_frames: int

    @classmethod
    def of(
        cls,
        clips: Sequence[ClipFeatures],
        spec: TreeSpec,
        front_end: FrontEnd,
        background_classes: Collection[str] = (),
    ) -> Examples:
        """Lay out ``clips``; those of classes that the tree does not know are left out.

        Raises:
            TrainingError: no clip is left.
        """
        known, labels = labelled_clips(clips, spec)
        if not known:
            raise TrainingError(
                "no clip of the classes of the tree to train on; label clips of these classes"
            )
        frames = np.array([len(clip.log_mel) for clip in known], np.int64)
        log_mel = np.concatenate([clip.log_mel for clip in known])
        return cls(
            log_mel=np.concatenate([log_mel, _white_noise(front_end)]),
            first_frame=np.concatenate([[0], np.cumsum(frames)[:-1]]),
            frames=frames,
            loudness=np.concatenate([[0.0], np.cumsum(log_mel.max(axis=1), dtype=np.float64)]),
            labels=tuple(labels),
            nodes=tuple(spec.nodes),
            groups=tuple(clip.group for clip in known),
            is_background=_within(known, background_classes),
            is_silence=_within(known, (NO_SIGNAL,)),
            noise_start=len(log_mel),
            patch_frames=front_end.patch_frames,
        )


def _within(clips: Sequence[ClipFeatures], names: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which clips have one of the classes ``names``, or one below it."""
    return np.array(
        [any(is_within(path, name) for path in clip.class_paths for name in names) for clip in clips]
    )


def _white_noise(front_end: FrontEnd) -> FloatArray:
    """Log-mel of Gaussian noise; its level does not matter, its colour is given to it where it is used."""
    random = np.random.default_rng(0)
    audio = random.normal(0.0, 0.1, round(_NOISE_S * front_end.rate_hz)).astype(np.float32)
    return log_mel_of_signal(audio, front_end)
