"""Every window of many clips through the model: decoded by a few threads, several clips in one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.analysis import BATCH_WINDOWS, Model
from serving.signature import ModelDescription
from tidzam_platform.audio import Block, Window, cut_windows, holes_in_frames, probe, read_audio
from tidzam_platform.classifiers.clip_pooling import Pooling, soft_vote
from tidzam_platform.errors import AudioError, EmptyAudioError

MAX_CLIP_S: Final = 600.0  # a clip is held in memory while it is heard
_DECODERS: Final = 3  # threads that each wait for a decoder's process
_AHEAD: Final = 4  # clips decoded before they are needed

_Decoded = tuple[NDArray[np.float32], list[tuple[int, int]]]


@dataclass(frozen=True)
class ClipScores:
    """What the model says of clips.

    Attributes:
        scores: float32 ``[clips, classes]`` in [0, 1], pooled over the windows of the clip.
        level_dbfs: float32 ``[clips]``, of the mean power of the windows.
        heard: numbers of these clips among those asked for, ascending.
        unusable: why each of the others could not be heard, by its number.
    """

    scores: NDArray[np.float32]
    level_dbfs: NDArray[np.float32]
    heard: tuple[int, ...]
    unusable: dict[int, str]


def score_clips(
    paths: Sequence[Path],
    model: Model,
    progress: Callable[[int], None] = lambda _more: None,
    pooling: Pooling = soft_vote,
) -> ClipScores:
    """Hear clips as one channel each (the mean of their channels, as in training).

    Windows lie on the grid of the model's hop; those that touch a hole are left out, and a clip shorter than a
    window is padded with zeros at its end.

    Args:
        paths: of the clips.
        model: answers for windows.
        progress: is told how many more clips are decoded.
        pooling: makes one row of scores of a clip's windows.

    Raises:
        ModelServerError: the model does not answer.
    """
    description = model.describe()
    unusable: dict[int, str] = {}
    heard: list[int] = []
    scores: list[NDArray[np.float64]] = []
    levels: list[float] = []
    for clip, windows in groupby(
        _predictions(paths, model, description, unusable, progress), lambda row: row[0]
    ):
        _, rows, levels_dbfs = zip(*windows, strict=True)
        heard.append(clip)
        scores.append(pooling(np.stack(rows)))
        power = (10 ** (np.array(levels_dbfs, np.float64) / 10)).mean()
        levels.append(10 * float(np.log10(max(power, np.finfo(np.float64).tiny))))
    return ClipScores(
        scores=np.array(scores, np.float32).reshape(len(heard), len(description.classes)),
        level_dbfs=np.array(levels, np.float32),
        heard=tuple(heard),
        unusable=unusable,
    )


def _predictions(
    paths: Sequence[Path],
    model: Model,
    description: ModelDescription,
    unusable: dict[int, str],
    progress: Callable[[int], None],
) -> Iterator[tuple[int, NDArray[np.float32], float]]:
    """Scores and level of each window with the number of its clip, clip after clip."""
    stream = _windows_of_all(paths, description, unusable, progress)
    while batch := list(islice(stream, BATCH_WINDOWS)):
        prediction = model.predict_windows([window for _, window in batch])
        for (clip, _), row, level in zip(batch, prediction.scores, prediction.level_dbfs, strict=True):
            yield clip, row, float(level)


def _windows_of_all(
    paths: Sequence[Path],
    description: ModelDescription,
    unusable: dict[int, str],
    progress: Callable[[int], None],
) -> Iterator[tuple[int, Window]]:
    """Windows of one channel of all clips, each with the number of its clip.

    Frames count on from clip to clip with more than a window between them, as a model may take windows that overlap
    for one signal.
    """
    hop_frames = description.hop_frames
    gap_frames = (description.window_frames // hop_frames + 2) * hop_frames
    first_frame = 0
    with ThreadPoolExecutor(_DECODERS) as decoders:
        jobs = (decoders.submit(_decode, path, description.rate_hz) for path in paths)
        for clip, job in enumerate(_some_ahead(jobs)):
            heard = 0
            try:
                mono, holes = job.result()
                for window in cut_windows(
                    [Block(0, mono)],
                    window_frames=description.window_frames,
                    hop_frames=hop_frames,
                    holes=holes,
                ):
                    yield clip, Window(first_frame + window.start_frame, window.samples)
                    heard += 1
                if not heard:
                    raise EmptyAudioError(f"{paths[clip]}: no window of it is without missing audio")
                first_frame += (mono.shape[1] // hop_frames) * hop_frames + gap_frames
            except AudioError as error:
                unusable[clip] = str(error)
            progress(1)


def _some_ahead(jobs: Iterator[Future[_Decoded]]) -> Iterator[Future[_Decoded]]:
    """The jobs in order; a few more than the one that is used are under way, so that memory stays bounded."""
    waiting = deque(islice(jobs, _AHEAD))
    while waiting:
        yield waiting.popleft()
        waiting.extend(islice(jobs, 1))


def _decode(path: Path, rate_hz: int) -> _Decoded:
    """A clip as float32 ``[1, frames]``, and where audio is missing in it."""
    info = probe(path)
    mono = read_audio(path, rate_hz=rate_hz, max_s=MAX_CLIP_S).mean(axis=0, keepdims=True)
    return mono, holes_in_frames(info, rate_hz)
