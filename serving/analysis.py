"""Hearing a file: decode, windows, model, decision, events. One path for the command line and for assets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from serving.prediction import Prediction
from serving.signature import ModelDescription
from tidzam_platform.audio import AudioInfo, Window, cut_windows, decode_blocks, holes_in_frames, probe
from tidzam_platform.classifiers.decision import Answer, ClassNode, Decider
from tidzam_platform.classifiers.events import Event, EventMerger
from tidzam_platform.errors import ModelServerError

BATCH_WINDOWS: Final = 64  # of one channel or many: where the CPU is most efficient
_SWAP_ATTEMPTS: Final = (
    3  # a file is heard by one generation; if another takes over meanwhile, it is heard again
)


class Model(Protocol):
    """What hears: a client of the model server, or a generation in this process."""

    def describe(self) -> ModelDescription:
        """Classes, rate, window and generation."""
        ...

    def predict(self, audio: npt.NDArray[np.float32]) -> Prediction:
        """Scores of windows ``[batch, samples]``."""
        ...

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Scores of all channels of each window in turn."""
        ...


@dataclass(frozen=True)
class HeardWindow:
    """One window of one channel: where, what it is taken for, and every class's score."""

    channel: int
    start_frame: int
    answer: Answer
    scores: npt.NDArray[np.float32]
    level_dbfs: float


@dataclass
class Hearing:
    """What was heard in a file. Frames count at ``description.rate_hz``."""

    info: AudioInfo
    description: ModelDescription
    events: list[Event]
    windows: list[HeardWindow] = field(default_factory=list)

    def seconds(self, frame: int) -> float:
        """Time of a frame within the file."""
        return round(frame / self.description.rate_hz, 6)


def hear_file(
    path: Path,
    model: Model,
    *,
    no_signal_dbfs: float,
    keep_windows: bool = False,
    progress: Callable[[float], None] = lambda _seconds: None,
) -> Hearing:
    """Hear every channel of a file.

    Windows lie on the grid of the model's hop from the file's first sample; those that touch a hole are left out.

    Args:
        path: an audio file in any format that we decode.
        model: answers for windows.
        no_signal_dbfs: windows quieter than this are ``no_signal``.
        keep_windows: also return each window with its scores; memory grows with the file.
        progress: is told how many seconds of the file are done.

    Raises:
        AudioError: the file cannot be used.
        ModelServerError: the model does not answer.
    """
    info = probe(path)
    for _ in range(_SWAP_ATTEMPTS):
        try:
            return _hear(path, info, model, no_signal_dbfs, keep_windows, progress)
        except _SwappedError:
            continue
    raise ModelServerError(
        f"generations were swapped {_SWAP_ATTEMPTS} times while {path} was heard; try again later"
    )


class _SwappedError(Exception):
    """Another generation answers than the one whose classes we know."""


def _hear(
    path: Path,
    info: AudioInfo,
    model: Model,
    no_signal_dbfs: float,
    keep_windows: bool,
    progress: Callable[[float], None],
) -> Hearing:
    description = model.describe()
    decider = Decider(
        [ClassNode(known.path, known.parent, known.threshold) for known in description.classes],
        no_signal_dbfs,
    )
    mergers = [
        EventMerger(number, description.window_frames, description.hop_frames)
        for number in range(1, info.channels + 1)
    ]
    hearing = Hearing(info, description, [])
    for heard in _heard_windows(path, info, model, description, decider, progress):
        ended = mergers[heard.channel - 1].add(heard.start_frame, heard.answer)
        if ended is not None:
            hearing.events.append(ended)
        if keep_windows:
            hearing.windows.append(heard)
    hearing.events.extend(event for merger in mergers if (event := merger.finish()) is not None)
    hearing.events.sort(key=lambda event: (event.start_frame, event.channel))
    return hearing


def _heard_windows(
    path: Path,
    info: AudioInfo,
    model: Model,
    description: ModelDescription,
    decider: Decider,
    progress: Callable[[float], None],
) -> Iterator[HeardWindow]:
    rate_hz = description.rate_hz
    windows = cut_windows(
        decode_blocks(path, rate_hz=rate_hz, info=info),
        window_frames=description.window_frames,
        hop_frames=description.hop_frames,
        holes=holes_in_frames(info, rate_hz),
    )
    moments = max(1, BATCH_WINDOWS // info.channels)
    while batch := list(islice(windows, moments)):
        yield from _hear_batch(batch, model, description, decider)
        progress((batch[-1].start_frame + description.window_frames) / rate_hz)


def _hear_batch(
    batch: list[Window], model: Model, description: ModelDescription, decider: Decider
) -> Iterator[HeardWindow]:
    """All channels of a few moments in one request."""
    prediction = model.predict_windows(batch)
    if prediction.generation != description.generation:
        raise _SwappedError
    answers = decider.decide(prediction.scores, prediction.level_dbfs)
    channels = len(batch[0].samples)
    for index, answer in enumerate(answers):
        moment, channel = divmod(index, channels)
        yield HeardWindow(
            channel + 1,
            batch[moment].start_frame,
            answer,
            prediction.scores[index],
            float(prediction.level_dbfs[index]),
        )
