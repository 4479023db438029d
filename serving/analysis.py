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
from tidzam_platform.classifiers.channel_events import ChannelEvents
from tidzam_platform.classifiers.decision import Answer, ClassNode
from tidzam_platform.classifiers.events import Event
from tidzam_platform.errors import ModelServerError
from tidzam_platform.settings import DecisionSettings

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
    decision: DecisionSettings,
    *,
    keep_windows: bool = False,
    progress: Callable[[float], None] = lambda _seconds: None,
) -> Hearing:
    """Hear every channel of a file.

    Windows lie on the grid of the model's hop from the file's first sample; those that touch a hole are left out.

    Args:
        path: an audio file in any format that we decode.
        model: answers for windows.
        decision: how scores become answers and events.
        keep_windows: also return each window with its scores; memory grows with the file.
        progress: is told how many seconds of the file are done.

    Raises:
        AudioError: the file cannot be used.
        ModelServerError: the model does not answer.
    """
    info = probe(path)
    for _ in range(_SWAP_ATTEMPTS):
        try:
            return _hear(path, info, model, decision, keep_windows, progress)
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
    decision: DecisionSettings,
    keep_windows: bool,
    progress: Callable[[float], None],
) -> Hearing:
    description = model.describe()
    classes = [ClassNode(known.path, known.parent, known.threshold) for known in description.classes]
    window_frames, hop_frames, rate_hz = (
        description.window_frames,
        description.hop_frames,
        description.rate_hz,
    )
    channels = [
        ChannelEvents(number, classes, window_frames, hop_frames, rate_hz, decision, description.labels)
        for number in range(1, info.channels + 1)
    ]
    hearing = Hearing(info, description, [])
    for batch, prediction in _predictions(path, info, model, description):
        for index, (scores, level) in enumerate(zip(prediction.scores, prediction.level_dbfs, strict=True)):
            moment, channel = divmod(index, info.channels)
            start_frame = batch[moment].start_frame
            answer, settled = channels[channel].add(start_frame, scores, float(level))
            hearing.events.extend(settled)
            if keep_windows:
                hearing.windows.append(HeardWindow(channel + 1, start_frame, answer, scores, float(level)))
        progress((batch[-1].start_frame + window_frames) / rate_hz)
    hearing.events.extend(event for channel in channels for event in channel.finish())
    hearing.events.sort(key=lambda event: (event.start_frame, event.channel, event.class_path))
    return hearing


def _predictions(
    path: Path, info: AudioInfo, model: Model, description: ModelDescription
) -> Iterator[tuple[list[Window], Prediction]]:
    """All channels of a few moments in one request; the rows of each follow moment by moment, channel by channel."""
    rate_hz = description.rate_hz
    windows = cut_windows(
        decode_blocks(path, rate_hz=rate_hz, info=info),
        window_frames=description.window_frames,
        hop_frames=description.hop_frames,
        holes=holes_in_frames(info, rate_hz),
    )
    moments = max(1, BATCH_WINDOWS // info.channels)
    while batch := list(islice(windows, moments)):
        prediction = model.predict_windows(batch)
        if prediction.generation != description.generation:
            raise _SwappedError
        yield batch, prediction
