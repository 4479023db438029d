"""Which windows of the last seconds held what must not be kept, and which are not known."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import Final

from streamer.analyzer.keeping.spans import Span, windows_in_and_beside
from streamer.analyzer.windows import Geometry, Run, WindowKey

MAX_RUNS: Final = 8192  # channels of runs that are remembered, the newest


class Verdict(Enum):
    """What is known of all windows in and beside a span."""

    CLEAR = "clear"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


class HeardWindows:
    """For one thread. ``keep_s``: how long windows are remembered, seconds of audio."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        # Numbers on the grid, by run and channel: whether a window held what must not be kept.
        self._runs: OrderedDict[tuple[Run, int], dict[int, bool]] = OrderedDict()

    def note(self, key: WindowKey, is_forbidden: bool) -> None:
        """A window was heard."""
        run = (key.run, key.number)
        known = self._runs.get(run)
        if known is None:
            known = self._runs[run] = {}
            if len(self._runs) > MAX_RUNS:
                self._runs.popitem(last=False)
        geometry = key.run.geometry
        number = key.start_frame // geometry.hop_frames
        known[number] = is_forbidden or known.get(number, False)
        most = 2 * _windows_in(self._keep_s, geometry)
        if len(known) > most:
            oldest = max(known) - most // 2
            self._runs[run] = {one: forbidden for one, forbidden in known.items() if one > oldest}
        self._runs.move_to_end(run)

    def verdict(self, run: Run, number: int, span: Span) -> Verdict:
        """What is known of ``span`` of a channel: it may be kept if all is clear.

        Where windows leave gaps between them, nobody hears what is there: never clear.
        """
        if run.geometry.hop_frames > run.geometry.window_frames:
            return Verdict.UNKNOWN
        known = self._runs.get((run, number), {})
        found = [known.get(one) for one in windows_in_and_beside(span, run.geometry)]
        if any(found):
            return Verdict.FORBIDDEN
        return Verdict.UNKNOWN if None in found else Verdict.CLEAR

    def clear(self) -> None:
        """Forget all: what must not be kept is another thing now."""
        self._runs.clear()


def _windows_in(seconds: float, geometry: Geometry) -> int:
    return round(seconds * geometry.rate_hz / geometry.hop_frames) + 1
