"""Hearing a recording as one continuous signal: each STFT frame is computed once, windows are slices of the log-mel.

What comes out equals ``serving.analysis.hear_file`` within rounding of the scores; a test holds the two together. It
costs less than half: no window's audio is copied, and batches are full whatever the number of channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serving.companion import Companion
from serving.signature import ModelDescription
from tidzam_platform.audio import AudioInfo, decode_interleaved, holes_in_frames
from tidzam_platform.audio.blocks import Samples
from tidzam_platform.audio.levels import FLOOR_DBFS
from tidzam_platform.audio.windows import Holes
from tidzam_platform.classifiers.channel_events import ChannelEvents
from tidzam_platform.classifiers.decision import ClassNode
from tidzam_platform.classifiers.events import Event
from tidzam_platform.classifiers.front_end.continuous import log_mel_of_signal
from tidzam_platform.settings import DecisionSettings

_BLOCK_S: Final = 16.0  # what windows at its end share with the next block is computed twice
_BLOCK_CHANNEL_S: Final = 64.0  # of all channels of a block together: 6 MB at 24 kHz
_FLOOR_POWER: Final = 10 ** (FLOOR_DBFS / 10)

FloatArray = NDArray[np.float32]
_Answer: TypeAlias = tuple[int, int, float, FloatArray]  # channel from 0, first frame, level, scores


def hear_continuously(
    path: Path,
    info: AudioInfo,
    companion: Companion,
    description: ModelDescription,
    decision: DecisionSettings,
    progress: Callable[[float], None],
) -> Iterator[Event]:
    """Events of all channels of a file as they are settled, in no particular order; memory is bounded by a block.

    Args:
        path: the file.
        info: what ``probe`` says of it.
        companion: of the generation.
        description: of the generation.
        decision: how scores become events.
        progress: is told how many seconds of the file are done.

    Raises:
        AudioError: the file cannot be decoded to its end.
    """
    hop_frames = description.hop_frames
    classes = [ClassNode(known.path, known.parent, known.threshold) for known in description.classes]
    channels = [
        ChannelEvents(
            number,
            classes,
            description.window_frames,
            hop_frames,
            description.rate_hz,
            decision,
            description.labels,
        )
        for number in range(1, info.channels + 1)
    ]
    grid = _Grid(description.window_frames, hop_frames, holes_in_frames(info, description.rate_hz))
    judge = _Judge(companion)

    def settled(answers: list[_Answer]) -> Iterator[Event]:
        for channel, start_frame, level_dbfs, scores in answers:
            yield from channels[channel].add(start_frame, scores, level_dbfs)[1]

    with closing(_stretches(path, info, description.rate_hz, grid)) as stretches:
        for first_frame, signal, starts in stretches:
            offsets = [start - first_frame for start in starts]
            for channel, samples in enumerate(signal) if starts else ():
                log_mel = log_mel_of_signal(samples, companion.front_end)
                levels = _levels_dbfs(samples, offsets, grid)
                for start, offset, level in zip(starts, offsets, levels, strict=True):
                    judge.add(channel, start, level, log_mel[offset // companion.front_end.stft_hop_frames :])
                yield from settled(judge.take())
            progress((first_frame + signal.shape[1]) / description.rate_hz)
    yield from settled(judge.finish())
    for one in channels:
        yield from one.finish()


class _Grid:
    """Where windows begin: at multiples of the hop, those left out that touch a hole. Asked for in order of time."""

    def __init__(self, window_frames: int, hop_frames: int, holes: list[tuple[int, int]]) -> None:
        self.window_frames, self.hop_frames = window_frames, hop_frames
        self.following = 0  # the first window that was not asked for yet
        self.holes = Holes(holes)

    def starts_until(self, end_frame: int) -> list[int]:
        """First frames of the windows that end by ``end_frame`` and were not asked for before."""
        found = []
        while self.following + self.window_frames <= end_frame:
            if not self.holes.touch(self.following, self.following + self.window_frames):
                found.append(self.following)
            self.following += self.hop_frames
        return found


class _Judge:
    """Gathers windows of all channels to full batches: the companion's graph takes no others."""

    def __init__(self, companion: Companion) -> None:
        front_end = companion.front_end
        self._companion = companion
        self._patches = np.zeros((companion.batch, front_end.patch_frames, front_end.bands), np.float32)
        self._waiting: list[tuple[int, int, float]] = []
        self._answers: list[_Answer] = []

    def add(self, channel: int, start_frame: int, level_dbfs: float, log_mel: FloatArray) -> None:
        """Take a window whose patch is at the beginning of ``log_mel``."""
        self._patches[len(self._waiting)] = log_mel[: self._patches.shape[1]]
        self._waiting.append((channel, start_frame, level_dbfs))
        if len(self._waiting) == self._companion.batch:
            self._judge()

    def take(self) -> list[_Answer]:
        """The windows that are judged by now and were not taken yet, each channel's in order of time."""
        answers, self._answers = self._answers, []
        return answers

    def finish(self) -> list[_Answer]:
        """All that are left."""
        if self._waiting:
            self._judge()
        return self.take()

    def _judge(self) -> None:
        scores, _ = self._companion.predict_patches(self._patches[: len(self._waiting)])
        self._answers += [(*window, row) for window, row in zip(self._waiting, scores, strict=True)]
        self._waiting = []


def _stretches(
    path: Path, info: AudioInfo, rate_hz: int, grid: _Grid
) -> Generator[tuple[int, Samples, list[int]], None, None]:
    """The file cut so that each stretch begins where the first window begins that the one before did not hold.

    Yields:
        first frame, float32 ``[channels, frames]``, first frames of the windows in it. A file that is shorter than
        one window is filled up with zeros, as ``cut_windows`` does. The signal holds until the next is asked for.
    """
    block_s = min(_BLOCK_S, max(1.0, _BLOCK_CHANNEL_S / info.channels))
    # One memory for all: what the block before left, which is less than a window, and the block behind it.
    memory = np.empty((info.channels, grid.window_frames + round(block_s * rate_hz)), np.float32)
    first_frame = end_frame = 0
    with closing(decode_interleaved(path, rate_hz=rate_hz, block_s=block_s, info=info)) as blocks:
        for start_frame, frames in blocks:
            end_frame = start_frame + len(frames)
            memory[:, start_frame - first_frame : end_frame - first_frame] = frames.T
            yield first_frame, memory[:, : end_frame - first_frame], grid.starts_until(end_frame)
            following = min(grid.following, end_frame)
            tail = memory[:, following - first_frame : end_frame - first_frame]
            memory[:, : tail.shape[1]] = tail.copy()
            first_frame = following
    if grid.following == 0 and not grid.holes.touch(0, end_frame):
        padded = np.zeros((info.channels, grid.window_frames), np.float32)
        padded[:, :end_frame] = memory[:, :end_frame]
        yield 0, padded, [0]


def _levels_dbfs(samples: Samples, offsets: list[int], grid: _Grid) -> list[float]:
    """Level of each window, as ``rms_dbfs`` has it; the squares of what windows share are added up once."""
    part = math.gcd(grid.window_frames, grid.hop_frames)
    ends = range(part, len(samples) + 1, part)
    powers = [float(np.dot(samples[end - part : end], samples[end - part : end])) for end in ends]
    levels = []
    for offset in offsets:
        power = sum(powers[offset // part : (offset + grid.window_frames) // part]) / grid.window_frames
        levels.append(10 * math.log10(max(power, _FLOOR_POWER)))
    return levels
