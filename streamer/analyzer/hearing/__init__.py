"""Hearing: channels of the engine followed, put on their sources' time, cut into windows; see docs/analyzer.md.

::

    history = AudioHistory(most_bytes)                      # optional: what was heard lately
    hearer = Hearer(home, settings.analyzer, on_moment, history, on_run_end=...)
    hearer.set_geometry(Geometry(48_000, 48_000, 24_000))   # nothing is heard before
    hearer.start(); hearer.status(); hearer.counts(); hearer.stop()

    history.keep({"marsh:out_*": 30.0})                     # seconds; RuleError if memory does not suffice
    history.audio(run, number, start_frame, end_frame)      -> int16 [frames] at 48 kHz, or None
    history.span(run, number, frame)                        -> (first, after the last) around frame, or None
"""

from streamer.analyzer.hearing.cutter import Cause
from streamer.analyzer.hearing.hearer import Hearer
from streamer.analyzer.hearing.history import AudioHistory

__all__ = ["AudioHistory", "Cause", "Hearer"]
