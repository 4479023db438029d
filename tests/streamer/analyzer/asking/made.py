"""Made channels, their windows, and what stands for a model server where thousands of answers are needed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from serving.client.routes import Route
from serving.prediction import Prediction
from serving.signature import ModelDescription
from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.windows import Geometry, Heard, Moment, Run, WindowKey
from tests.support.tiny_model import RATE_HZ, WINDOW_FRAMES, description
from tidzam_platform.errors import ModelServerError, ModelServerUnavailableError

TINY = Geometry(RATE_HZ, WINDOW_FRAMES, WINDOW_FRAMES // 2)
NOON_NS = 1_790_856_000_000_000_000  # 2026-10-01T12:00:00Z
Name = tuple[Run, int, int]


def run_of(source: str = "marsh", geometry: Geometry = TINY, after_s: int = 0) -> Run:
    return Run(source, NOON_NS + after_s * 10**9, geometry)


def name_of(key: WindowKey) -> Name:
    """What tells a window from others; keys also say when it ended."""
    return key.run, key.number, key.start_frame


def names_of(keys: Iterable[WindowKey]) -> list[Name]:
    return [name_of(key) for key in keys]


class Site:
    """A source whose channels give noise; the same samples for the same name.

    Its first samples of windows say what StandIn hears: see there.
    """

    def __init__(self, run: Run, channels: int, windows: int, seed: int = 0) -> None:
        self.run, self.channels, self.windows = run, channels, windows
        geometry = run.geometry
        frames = geometry.hop_frames * windows + geometry.window_frames
        random = np.random.default_rng(seed)
        self.audio = random.uniform(-0.3, 0.3, (channels, frames)).astype(np.float32)

    def window(self, number: int, index: int) -> NDArray[np.float32]:
        start = index * self.run.geometry.hop_frames
        return self.audio[number - 1, start : start + self.run.geometry.window_frames]

    def sound(self, number: int, index: int, value: float) -> None:
        """Let the window begin with this sample."""
        self.audio[number - 1, index * self.run.geometry.hop_frames] = value

    def key(self, number: int, index: int) -> WindowKey:
        return WindowKey(self.run, number, index * self.run.geometry.hop_frames, time.monotonic())

    def moment(self, windows: Sequence[tuple[int, int]]) -> Moment:
        """Windows by number of the channel and on the grid."""
        keys = tuple(self.key(number, index) for number, index in windows)
        return Moment(keys, np.stack([self.window(number, index) for number, index in windows]))

    def moments(self) -> list[Moment]:
        """All windows, those of all channels at a time together."""
        return [
            self.moment([(number, index) for number in range(1, self.channels + 1)])
            for index in range(self.windows)
        ]

    def names(self) -> list[Name]:
        """Of all windows, by time and channel."""
        hop = self.run.geometry.hop_frames
        return [
            (self.run, number, index * hop)
            for index in range(self.windows)
            for number in range(1, self.channels + 1)
        ]


class StandIn:
    """Answers as a model server does; what it hears depends on a window's first sample alone.

    Above 0.5 it is a bird, below -0.4 rain, else nothing that it knows. While it is ``away`` nobody answers; a
    ``refusal`` is raised instead of an answer.
    """

    def __init__(self, generation: int = 3, delay_s: float = 0.0, *, uses_keys: bool = True) -> None:
        self.uses_keys = uses_keys
        self.generation, self.delay_s = generation, delay_s
        self.away = False
        self.refusal: ModelServerError | None = None
        self.rows: list[int] = []
        self.asked: list[tuple[Route | None, str | bytes | None]] = []
        self._lock = threading.Lock()

    def describe(self, version: int | None = None) -> ModelDescription:
        self._require_there()
        return description(self.generation if version is None else version)

    def wait_until_available(self, version: int | None = None, timeout_s: float = 60.0) -> int:  # noqa: ARG002
        self._require_there()
        return self.generation

    def predict(
        self,
        audio: NDArray[np.float32],
        *,
        route: Route | None = None,
        key: str | bytes | None = None,
        deadline_s: float | None = None,  # noqa: ARG002
    ) -> Prediction:
        if self.delay_s:
            time.sleep(self.delay_s)
        self._require_there()
        if self.refusal is not None:
            raise self.refusal
        with self._lock:
            self.rows.append(len(audio))
            self.asked.append((route, key))
        return heard_in(audio, self.generation)

    def _require_there(self) -> None:
        if self.away:
            raise ModelServerUnavailableError("nobody answers")


def heard_in(audio: NDArray[np.float32], generation: int) -> Prediction:
    """What the stand-in hears."""
    scores = np.zeros((len(audio), 3), np.float32)
    scores[:, 0] = np.clip(audio[:, 0], 0, 1)
    scores[:, 2] = np.clip(-audio[:, 0], 0, 1)
    return Prediction(scores, audio[:, :8].copy(), np.zeros(len(audio), np.float32), generation)


class Told:
    """What an asker passes on."""

    def __init__(self) -> None:
        self.live: list[Name] = []
        self.late: list[Name] = []
        self.lost: list[Name] = []
        self.reasons: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.gate = threading.Event()
        """Nobody gets past ``heard`` while it is cleared."""
        self.gate.set()

    def heard(self, heard: Heard) -> None:
        assert self.gate.wait(30)
        with self._lock:
            (self.late if heard.was_spooled else self.live).extend(names_of(heard.keys))

    def lose(self, keys: Sequence[WindowKey], reason: str) -> None:
        with self._lock:
            self.lost += names_of(keys)
            self.reasons[reason] += len(keys)

    def lose_all(self, lost: Sequence[LostWindows]) -> None:
        for windows in lost:
            self.lose(windows.keys, windows.reason)

    @property
    def all(self) -> list[Name]:
        with self._lock:
            return self.live + self.late + self.lost


def assert_in_order(names: Sequence[Name]) -> None:
    """Windows of each channel follow one another."""
    last: dict[tuple[Run, int], int] = {}
    for run, number, start_frame in names:
        assert last.get((run, number), -1) < start_frame, f"channel {number} goes back to {start_frame}"
        last[run, number] = start_frame


def other_geometry(geometry: Geometry) -> Geometry:
    return replace(geometry, window_frames=geometry.window_frames * 2)
