"""Which graph the settings ask for."""

from __future__ import annotations

import logging
from pathlib import Path

from streamer.engine.graph.clock_graph import ClockGraph
from streamer.engine.graph.interface import AudioGraph
from streamer.engine.graph.keeper import GraphKeeper
from tidzam_platform.errors import AudioGraphError, MissingSystemPartError, ProcessError
from tidzam_platform.settings import GraphSettings

_log = logging.getLogger(__name__)


def open_graph(settings: GraphSettings, home: Path) -> AudioGraph:
    """The graph of ``settings.kind``, running; ``auto`` is JACK where it can run, else a graph of our own.

    ``status()["kind"]`` says which one it became. Close it at the end.

    Raises:
        MissingSystemPartError: JACK is asked for and not installed.
        ProcessError: JACK is asked for and does not start.
    """
    if settings.kind == "clock":
        return ClockGraph(period_frames=settings.period_frames)
    try:
        return GraphKeeper(settings, home)
    except (MissingSystemPartError, ProcessError, AudioGraphError) as error:
        if settings.kind == "jack":
            raise
        _log.warning("JACK cannot run here, the engine uses a graph of its own: %s", error)
        return ClockGraph(period_frames=settings.period_frames)
