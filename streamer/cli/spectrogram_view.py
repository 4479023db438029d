"""A spectrogram in the terminal: two bands a line (half blocks), the newest sound at the right."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Group
from rich.live import Live
from rich.style import Style
from rich.text import Text

from tidzam_platform.cli.output import shown

_REFRESHES_PER_S: Final = 4
_BANDS: Final = 36  # two a line
_LOWEST_HZ: Final = 200.0
_HIGHEST_HZ: Final = 12_000.0
_COLUMN_S: Final = 0.05
_TRANSFORM_S: Final = 0.04
_FLOOR_DB: Final = -90.0
_TOP_DB: Final = -25.0
# From quiet to loud: black, violet, red, orange, white.
_ANCHORS: Final = np.array(
    [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]], np.float64
)
_SHADES: Final = 48


class SpectrogramView:
    """The last seconds of one channel. Not for several threads at once."""

    def __init__(self, rate_hz: int, columns: int = 100) -> None:
        """Args: the rate of what ``add`` takes, Hz; how many columns of 50 ms are shown."""
        self._step = max(1, round(rate_hz * _COLUMN_S))
        self._length = max(self._step, round(rate_hz * _TRANSFORM_S))
        self._edges = _band_edges(rate_hz, self._length)
        self._window = np.hanning(self._length).astype(np.float32)
        self._kept: deque[NDArray[np.float64]] = deque(maxlen=columns)
        self._waiting: NDArray[np.float32] = np.zeros(0, np.float32)

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take the samples, float32 ``[frames]``, that follow those before."""
        waiting = np.concatenate((self._waiting, samples))
        while len(waiting) >= self._length:
            self._kept.append(self._column(waiting[: self._length]))
            waiting = waiting[self._step :]
        self._waiting = waiting

    def levels_db(self) -> NDArray[np.float64]:
        """What is shown: float64 ``[bands, columns]``, dB of full scale, the lowest band first."""
        return np.stack(self._kept, axis=1) if self._kept else np.zeros((_BANDS, 0))

    def __rich__(self) -> Text:
        shares = np.clip((self.levels_db() - _FLOOR_DB) / (_TOP_DB - _FLOOR_DB), 0, 1)
        shades = np.rint(shares * (_SHADES - 1)).astype(int)
        text = Text(no_wrap=True)
        for band in range(_BANDS - 1, 0, -2):
            for upper, lower in zip(shades[band], shades[band - 1], strict=True):
                text.append("▀", _STYLES[upper][lower])
            text.append("\n")
        return text

    def _column(self, samples: NDArray[np.float32]) -> NDArray[np.float64]:
        spectrum = np.abs(np.fft.rfft(samples * self._window)) / (self._window.sum() / 2)
        power = np.add.reduceat(np.square(spectrum, dtype=np.float64), self._edges[:-1])
        return np.asarray(10 * np.log10(np.maximum(power, 1e-12)), np.float64)


class LivePicture:
    """A spectrogram with lines of plain text above and below, drawn anew in its place. A context."""

    def __init__(self) -> None:
        self._live = Live(refresh_per_second=_REFRESHES_PER_S, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def update(self, above: Sequence[str], view: SpectrogramView, below: Sequence[str]) -> None:
        """Show this from now on."""
        lines = [[Text(shown(line)) for line in lines] for lines in (above, below)]
        self._live.update(Group(*lines[0], view, *lines[1]))


def _band_edges(rate_hz: int, length: int) -> NDArray[np.int64]:
    """Bins at which bands begin, and where the last one ends: at least one bin each, evenly spaced by ear."""
    top_hz = min(_HIGHEST_HZ, rate_hz / 2)
    wanted = np.geomspace(_LOWEST_HZ, top_hz, _BANDS + 1) * length / rate_hz
    edges = np.rint(wanted).astype(np.int64)
    for index in range(1, len(edges)):
        edges[index] = max(edges[index], edges[index - 1] + 1)
    return np.minimum(edges, length // 2)


def _colours() -> list[Color]:
    places = np.linspace(0, len(_ANCHORS) - 1, _SHADES)
    below = np.minimum(places.astype(int), len(_ANCHORS) - 2)
    share = (places - below)[:, np.newaxis]
    mixed = _ANCHORS[below] * (1 - share) + _ANCHORS[below + 1] * share
    return [Color.from_rgb(*row) for row in mixed]


_STYLES: Final = [[Style(color=upper, bgcolor=lower) for lower in _colours()] for upper in _colours()]
