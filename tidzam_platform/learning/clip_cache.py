"""Features of stored clips, kept between rankings: an archive's unlabelled clips are heard by every generation."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tidzam_platform.audio import read_audio
from tidzam_platform.classifiers.features import MAX_CLIP_S, ClipFeatures, clip_features
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.datasets.sides import Side
from tidzam_platform.errors import ObjectNotFoundError
from tidzam_platform.files import write_whole
from tidzam_platform.look_ahead import map_ahead
from tidzam_platform.store import ObjectStore

_DECODERS: Final = 2  # ffmpeg processes at once; a decoder uses one core


@dataclass(frozen=True)
class StoredClip:
    """A clip of the catalog, as far as learning needs it; ``class_paths`` are empty where nobody said any.

    Attributes:
        side: of its group; ``train`` where none was given yet.
    """

    id: int
    sha256: str
    store_key: str
    group: str
    side: Side = "train"
    class_paths: tuple[str, ...] = ()


class ClipCache:
    """Decodes clips and computes their features, or reads those that were computed before.

    Args:
        folder: of all caches; each front end has one of its own below it.
        front_end: the parameters.
    """

    def __init__(self, folder: Path, front_end: FrontEnd) -> None:
        kind = hashlib.sha256(json.dumps(front_end.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
        self._folder = folder / kind
        self._front_end = front_end

    def load(
        self,
        store: ObjectStore,
        clips: Sequence[StoredClip],
        progress: Callable[[int], None] = lambda _more: None,
        *,
        is_gone: Callable[[StoredClip], bool] = lambda _clip: False,
    ) -> list[ClipFeatures]:
        """Features of ``clips``, in their order; ``progress`` is told of each.

        A clip that is not in the store is left out if ``is_gone`` says that it was removed meanwhile.

        Raises:
            AudioError: a clip cannot be decoded.
            StoreError: one is not in the store, and should be.
        """
        # Importing the backend in two threads at once would deadlock; this computes features of nothing, here.
        clip_features(np.zeros(self._front_end.window_frames, np.float32), self._front_end)
        self._folder.mkdir(parents=True, exist_ok=True)
        found = []
        with closing(
            map_ahead(lambda clip: self._load(store, clip, is_gone), clips, threads=_DECODERS)
        ) as loaded:
            for clip in loaded:
                if clip is not None:
                    found.append(clip)
                progress(1)
        return found

    def forget_others(self, clips: Sequence[StoredClip]) -> int:
        """Remove what is kept of all other clips, so that the cache does not grow; returns how many."""
        kept = {f"{clip.sha256}.npz" for clip in clips}
        others = [path for path in self._folder.glob("*.npz") if path.name not in kept]
        for path in others:
            path.unlink(missing_ok=True)
        return len(others)

    def _load(
        self, store: ObjectStore, clip: StoredClip, is_gone: Callable[[StoredClip], bool]
    ) -> ClipFeatures | None:
        path = self._folder / f"{clip.sha256}.npz"
        if not path.exists():
            try:
                with store.as_file(clip.store_key) as audio:
                    samples = read_audio(audio, rate_hz=self._front_end.rate_hz, max_s=MAX_CLIP_S).mean(
                        axis=0
                    )
            except ObjectNotFoundError:
                if is_gone(clip):
                    return None
                raise
            log_mel, offsets = clip_features(samples, self._front_end)
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, log_mel=log_mel, offsets=np.array(offsets))
            write_whole(path, buffer.getvalue())
        with np.load(path, allow_pickle=False) as arrays:
            log_mel, offsets = arrays["log_mel"], tuple(arrays["offsets"].tolist())
        return ClipFeatures(clip.sha256, log_mel, offsets, clip.class_paths, clip.group, clip.side)
