"""Every window of many clips through the model: decoded by a few threads, several clips in one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.analysis import BATCH_WINDOWS, Model
from serving.signature import ModelDescription
from tidzam_platform.audio import Block, Window, cut_windows, holes_in_frames, probe, read_audio
from tidzam_platform.errors import AudioError, EmptyAudioError

MAX_CLIP_S: Final = 600.0  # a clip is held in memory while it is heard
_DECODERS: Final = 3  # threads that each wait for a decoder's process
_AHEAD: Final = 4  # clips decoded before they are needed

_Decoded = tuple[NDArray[np.float32], list[tuple[int, int]]]


@dataclass(frozen=True)
class ClipScores:
    """What the model says of clips.

    Attributes:
        scores: float32 ``[clips, classes]`` in [0, 1], the mean over the windows of the clip.
        level_dbfs: float32 ``[clips]``, of the mean power of the windows.
        heard: numbers of these clips among those asked for, ascending.
        unusable: why each of the others could not be heard, by its number.
    """

    scores: NDArray[np.float32]
    level_dbfs: NDArray[np.float32]
    heard: tuple[int, ...]
    unusable: dict[int, str]


def score_clips(
    paths: Sequence[Path], model: Model, progress: Callable[[int], None] = lambda _more: None
) -> ClipScores:
    """Hear clips as one channel each (the mean of their channels, as in training).

    Windows lie on the grid of the model's hop; those that touch a hole are left out, and a clip shorter than a
    window is padded with zeros at its end.

    Args:
        paths: of the clips.
        model: answers for windows.
        progress: is told how many more clips are decoded.

    Raises:
        ModelServerError: the model does not answer.
    """
    description = model.describe()
    scores = np.zeros((len(paths), len(description.classes)))
    power, windows = np.zeros(len(paths)), np.zeros(len(paths), int)
    unusable: dict[int, str] = {}
    stream = _windows_of_all(paths, description, unusable, progress)
    while batch := list(islice(stream, BATCH_WINDOWS)):
        clips = np.array([clip for clip, _ in batch])
        prediction = model.predict_windows([window for _, window in batch])
        np.add.at(scores, clips, prediction.scores)
        np.add.at(power, clips, 10 ** (prediction.level_dbfs.astype(np.float64) / 10))
        np.add.at(windows, clips, 1)
    heard = np.flatnonzero(windows)
    level_dbfs = 10 * np.log10(np.maximum(power[heard] / windows[heard], np.finfo(np.float64).tiny))
    return ClipScores(
        scores=(scores[heard] / windows[heard, np.newaxis]).astype(np.float32),
        level_dbfs=level_dbfs.astype(np.float32),
        heard=tuple(heard.tolist()),
        unusable=unusable,
    )


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
