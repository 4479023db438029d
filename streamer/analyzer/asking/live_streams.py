"""What people send from their browsers is heard now or never: it is not written down, and no shadow records it."""

from __future__ import annotations

from typing import Final

from streamer.analyzer.windows import Moment, WindowKey
from streamer.engine.reserved_names import LIVE_STREAMS

DO_NOT_WAIT: Final = "live streams do not wait"


def is_live_stream(key: WindowKey) -> bool:
    """Whether a window is of what somebody sends from a browser."""
    return key.run.source == LIVE_STREAMS


def apart(moment: Moment) -> list[Moment]:
    """The moment as it is, or its windows of sources and those of live streams as two; each keeps its order."""
    rows: tuple[list[int], list[int]] = ([], [])
    for row, key in enumerate(moment.keys):
        rows[is_live_stream(key)].append(row)
    if not (rows[0] and rows[1]):
        return [moment]
    return [Moment(tuple(moment.keys[row] for row in some), moment.audio[some]) for some in rows]
