"""What the analyzer's rooms hand each other: runs of time, windows on their grid, and what was heard in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from serving.prediction import Prediction
from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.names import channel as channel_name

if TYPE_CHECKING:
    from serving.signature import ModelDescription

_NS_PER_US: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a generation cuts time: rate in Hz, window and hop in frames at that rate."""

    rate_hz: int
    window_frames: int
    hop_frames: int

    @classmethod
    def of(cls, description: ModelDescription) -> Self:
        """That of the generation which is described."""
        return cls(description.rate_hz, description.window_frames, description.hop_frames)


@dataclass(frozen=True, slots=True)
class Run:
    """An unbroken stretch of a source's time: windows of all its channels lie on one grid from its anchor on.

    A new one begins where the source starts, seeks, or goes on to another recording, and where the geometry changes.
    Runs are equal if source, anchor and geometry are.

    Attributes:
        source: its name; ``tidzam-livestreams`` for live streams.
        anchor_utc_ns: UTC of frame 0, ns since 1970.
        geometry: frames below count at its rate.
    """

    source: str
    anchor_utc_ns: int
    geometry: Geometry

    @property
    def time_zero(self) -> datetime:
        """UTC of frame 0, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.anchor_utc_ns // _NS_PER_US)

    def time_of(self, frame: int) -> datetime:
        """UTC of a frame."""
        return self.time_zero + timedelta(seconds=frame / self.geometry.rate_hz)


@dataclass(frozen=True, slots=True)
class WindowKey:
    """One window of one channel; at most once in the life of the site.

    Attributes:
        run: whose grid it lies on.
        number: of the channel, from 1.
        start_frame: its first frame, a multiple of the hop, at the geometry's rate.
        ended_s: ``time.monotonic()`` when its last sample was in the rings; for latency.
    """

    run: Run
    number: int
    start_frame: int
    ended_s: float

    @property
    def channel(self) -> str:
        """``<source>:out_<n>``."""
        return channel_name(self.run.source, self.number)

    @property
    def start(self) -> datetime:
        """UTC of its first frame."""
        return self.run.time_of(self.start_frame)

    @property
    def end(self) -> datetime:
        """UTC after its last frame."""
        return self.run.time_of(self.start_frame + self.run.geometry.window_frames)


@dataclass(frozen=True, slots=True, eq=False)  # arrays: each is itself alone
class Moment:
    """Windows that became whole at the same time, of any channels, all of one geometry.

    ``audio`` is float32 ``[windows, window_frames]``, owned by the moment; row i belongs to ``keys[i]``.
    """

    keys: tuple[WindowKey, ...]
    audio: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)  # arrays: each is itself alone
class Heard:
    """What the model said of a moment; row i belongs to ``keys[i]``. ``was_spooled``: it waited on disk."""

    keys: Sequence[WindowKey]
    prediction: Prediction
    was_spooled: bool = False


@dataclass(frozen=True, slots=True, eq=False)  # arrays: each is itself alone
class WindowResult:
    """One window as subscribers and the recorder get it.

    Attributes:
        key: which window.
        generation: that answered.
        answer: what the window is taken for (smoothed as the settings say).
        paths: the classes, in the order of ``scores``.
        scores: float32 ``[classes]`` in [0, 1], of this window alone.
        embedding: float32 ``[d]``, or None where nobody asked for it.
        level_dbfs: of the window.
        was_spooled: it waited on disk for the model server.
    """

    key: WindowKey
    generation: int
    answer: Answer
    paths: tuple[str, ...]
    scores: NDArray[np.float32]
    embedding: NDArray[np.float32] | None
    level_dbfs: float
    was_spooled: bool
