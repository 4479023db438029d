"""Names of clients in the audio graph that no source may have. They stand alone: who checks a name needs no graph."""

from __future__ import annotations

from typing import Final

ANALYZER: Final = "analyzer"
LIVE_STREAMS: Final = "tidzam-livestreams"
CONTROL: Final = "tidzam-control"
# "system" and "freewheel" are of JACK itself; the others are parts of Tidzam, also in logs and metrics.
RESERVED_NAMES: Final = frozenset({ANALYZER, LIVE_STREAMS, CONTROL, "engine", "freewheel", "system"})
