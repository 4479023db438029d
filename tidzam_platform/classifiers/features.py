"""Log-mel features of whole clips, from which training and evaluation cut their patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.audio import read_audio
from tidzam_platform.classifiers.front_end import FrontEnd, log_mel
from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.datasets.sides import Side
from tidzam_platform.errors import DatasetError, ObjectNotFoundError
from tidzam_platform.look_ahead import map_ahead
from tidzam_platform.store import ObjectStore

_DECODERS = 2  # ffmpeg processes at once; a decoder uses one core
MAX_CLIP_S = 60.0
ALL_SIDES: Final[frozenset[Side]] = frozenset({"train", "validation", "test"})


@dataclass(frozen=True)
class ClipFeatures:
    """One clip as the classifier sees it.

    Attributes:
        log_mel: float32 ``[frames, bands]``, at least one patch long.
        offsets: first frames of the patches that evaluation looks at: the analysis grid, on STFT frames.
        class_paths: the classes present, ascending.
    """

    sha256: str
    log_mel: npt.NDArray[np.float32]
    offsets: tuple[int, ...]
    class_paths: tuple[str, ...]
    group: str
    side: Side


def load_clips(
    store: ObjectStore,
    manifest: Manifest,
    front_end: FrontEnd,
    progress: Callable[[int], None] = lambda _more: None,
    *,
    sides: frozenset[Side] = ALL_SIDES,
    copies: Callable[[ClipFeatures, npt.NDArray[np.float32]], list[ClipFeatures]] | None = None,
) -> list[ClipFeatures]:
    """Decode every clip of a dataset version that has a class and lies on ``sides``, and compute its features.

    ``copies`` makes more clips of one of the train side and its audio (see ``clip_variants``).
    """
    rows_of_clip: dict[str, list[ManifestRow]] = {}
    for row in manifest.rows:
        if row.verdict == "present" and row.side in sides:
            rows_of_clip.setdefault(row.clip_sha256, []).append(row)
    clips = []
    decoded = map_ahead(
        lambda rows: decode_clip(store, rows[0], front_end), rows_of_clip.values(), threads=_DECODERS
    )
    with closing(decoded):
        for (sha256, rows), audio in zip(rows_of_clip.items(), decoded, strict=True):
            features, offsets = clip_features(audio, front_end)
            classes = tuple(sorted({row.class_path for row in rows}))
            clips.append(ClipFeatures(sha256, features, offsets, classes, rows[0].group, rows[0].side))
            if copies is not None and clips[-1].side == "train":
                clips += copies(clips[-1], audio)
            progress(1)
    return clips


def decode_clip(store: ObjectStore, row: ManifestRow, front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """A clip as float32 ``[samples]`` at the front end's rate, its channels averaged."""
    try:
        with store.as_file(row.store_key) as path:
            samples = read_audio(path, rate_hz=front_end.rate_hz, max_s=MAX_CLIP_S)
    except ObjectNotFoundError as error:
        raise DatasetError(
            f"the clip {row.clip_sha256} of this dataset version is gone, maybe erased (./tidzam erase): build a new "
            "version"
        ) from error
    mono: npt.NDArray[np.float32] = samples.mean(axis=0)
    return mono


def clip_features(
    audio: npt.NDArray[np.float32], front_end: FrontEnd
) -> tuple[npt.NDArray[np.float32], tuple[int, ...]]:
    """Features of one clip and the offsets of its patches on the analysis grid.

    A clip shorter than a window gets silence on both sides, so that training can place it anywhere in the window;
    analysis sees it at the window's start.

    Args:
        audio: float32 ``[samples]`` at ``front_end.rate_hz``.
        front_end: the parameters.
    """
    window, hop = front_end.window_frames, front_end.stft_hop_frames
    lead = 0
    if len(audio) < window:
        lead = -(-(window - len(audio)) // hop) * hop  # on the STFT grid
        audio = np.pad(audio, (lead, lead + window - len(audio)))
        starts = [lead // hop]
    else:
        stop = len(audio) - window + 1
        starts = [round(start / hop) for start in range(0, stop, front_end.hop_frames)]
    features = np.asarray(log_mel(np.ascontiguousarray(audio[np.newaxis]), front_end))[0]
    return features, tuple(starts)


def patches_on_grid(clips: Sequence[ClipFeatures], front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """All patches that evaluation looks at, float32 ``[patches, frames, bands]``, clip after clip."""
    length = front_end.patch_frames
    return np.stack([clip.log_mel[offset : offset + length] for clip in clips for offset in clip.offsets])


def mean_by_clip(scores: npt.NDArray[np.float32], clips: Sequence[ClipFeatures]) -> npt.NDArray[np.float64]:
    """Soft vote: mean over the windows of each clip, float64 ``[clips, columns]``."""
    starts = np.cumsum([0, *(len(clip.offsets) for clip in clips)])
    counts = np.diff(starts)[:, np.newaxis]
    return np.asarray(np.add.reduceat(scores.astype(np.float64), starts[:-1], axis=0) / counts)
