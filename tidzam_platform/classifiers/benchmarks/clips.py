"""The clips of a benchmark, decoded once and kept beside its results."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.audio import read_audio
from tidzam_platform.classifiers.features import MAX_CLIP_S
from tidzam_platform.files import write_whole
from tidzam_platform.labels.csv_reader import read_label_csv
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.look_ahead import map_ahead

_DECODERS: Final = 2  # ffmpeg processes at once; a decoder uses one core


@dataclass(frozen=True)
class BenchClips:
    """Labelled clips in memory.

    Attributes:
        rate_hz: of all of them.
        audio: float32 ``[frames]`` each, mono.
        classes: class path of each.
        groups: of each; a group is never split.
    """

    rate_hz: int
    audio: tuple[npt.NDArray[np.float32], ...]
    classes: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of labels, groups and lengths."""
        lengths = [len(audio) for audio in self.audio]
        text = json.dumps([self.rate_hz, self.classes, self.groups, lengths])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_bench_clips(
    labels_file: Path,
    rate_hz: int,
    cache: Path,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> BenchClips:
    """Clips of a ``labels.csv``, decoded to ``rate_hz``; a second call reads them from ``cache``.

    Raises:
        LabelError: the file cannot be read.
        AudioError: a clip cannot be decoded.
    """
    entries = read_label_csv(labels_file)
    key = hashlib.sha256(
        labels_file.read_bytes() + f"{labels_file.resolve()} {rate_hz}".encode()
    ).hexdigest()[:16]
    kept = cache / f"clips_{key}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as arrays:
            flat, ends = arrays["audio"], arrays["ends"]
    else:
        flat, ends = _decode(entries, rate_hz, progress)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, audio=flat, ends=ends)
        write_whole(kept, buffer.getvalue())
    return BenchClips(
        rate_hz,
        tuple(np.split(flat, ends[:-1])),
        tuple(entry.class_paths[0] for entry in entries),
        tuple(entry.group or str(entry.path) for entry in entries),
    )


def _decode(
    entries: list[LabelledFile], rate_hz: int, progress: Callable[[int, int], None]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    decoded = []

    def decode(entry: LabelledFile) -> npt.NDArray[np.float32]:
        return read_audio(entry.path, rate_hz=rate_hz, max_s=MAX_CLIP_S)

    with closing(map_ahead(decode, entries, threads=_DECODERS)) as clips:
        for samples in clips:
            decoded.append(samples.mean(axis=0))
            progress(len(decoded), len(entries))
    return np.concatenate(decoded), np.cumsum([len(samples) for samples in decoded])
