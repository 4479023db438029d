"""The thread that hears: follows the engine and its channels, and hands on windows as they become whole."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.hearing.following import EngineFollower
from streamer.analyzer.hearing.groups import GroupTable
from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.hearing.moments import MomentMaker
from streamer.analyzer.hearing.runs import Outlets
from streamer.analyzer.hearing.tally import Tally
from streamer.analyzer.windows import Geometry, Moment, Run
from tidzam_platform.analyzer_sections import AnalyzerSettings
from tidzam_platform.channel_patterns import ChannelPatterns
from tidzam_platform.errors import TidzamError

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 0.025
_STOP_S: Final = 10.0


def _nobody(_run: Run, _numbers: tuple[int, ...]) -> None:
    """Who is told of runs if nobody wants to be."""


class Hearer:
    """Hears all channels of an engine that the settings name, while one runs. ``start`` and ``stop`` once each.

    Args:
        home: the data folder; its engine is followed, and the next one when it has ended.
        settings: say which channels.
        on_moment: gets the windows, at most 64 at a time, those of each channel and run in order. Called in the thread
            of the hearer, as ``on_run_end``: neither may wait.
        history: keeps what was heard; None if nobody wants it.
        on_run_end: told of a run that has ended, and for which channels (numbers, from 1), after its last window.
        look_s: how often it is looked for new samples, s. Longer gathers more windows in a moment.
        monotonic: seconds.
        utc_ns: the wall clock, ns since 1970; only live streams are timed by it.
        chance: spreads the looks for an engine.
    """

    def __init__(
        self,
        home: Path,
        settings: AnalyzerSettings,
        on_moment: Callable[[Moment], None],
        history: AudioHistory | None = None,
        *,
        on_run_end: Callable[[Run, tuple[int, ...]], None] = _nobody,
        look_s: float = _LOOK_S,
        monotonic: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
        chance: random.Random | None = None,
    ) -> None:
        self._patterns = ChannelPatterns(settings.channels)
        self._look_s, self._monotonic, self._utc_ns = look_s, monotonic, utc_ns
        self._tally = Tally()
        self._moments = MomentMaker(on_moment)
        self._outlets = Outlets(self._moments, history, self._tally, on_run_end, monotonic)
        self._engine = EngineFollower(home, chance=chance, monotonic=monotonic)
        self._geometry: Geometry | None = None  # the one wanted; set by any thread
        self._cut_by: Geometry | None = None  # the one in use
        self._groups: GroupTable | None = None
        self._faults = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidzam-hearing", daemon=True)

    def set_geometry(self, geometry: Geometry) -> None:
        """Cut windows so from now on; nothing is heard before the first call. Another one begins new runs."""
        self._geometry = geometry

    def start(self) -> None:
        """Begin to hear, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """End all runs and the thread; returns whether it ended in time. May be called again, and without ``start``."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """For people; JSON can say it.

        ``channels`` holds for each channel, also for those that went lately: ``heard`` (whether it is there),
        ``since`` (UTC), ``windows``, ``left_out`` (by cause), ``interruptions``, and ``time``: the UTC, by its source,
        up to which it was heard.
        """
        engine, geometry = self._engine.engine, self._cut_by
        return {
            "engine": "" if engine is not None else self._engine.away_because,
            "is_hearing": self._groups is not None,
            "rate_hz": None if geometry is None else geometry.rate_hz,
            "window_frames": None if geometry is None else geometry.window_frames,
            "hop_frames": None if geometry is None else geometry.hop_frames,
            "channels": self._tally.status(),
        }

    def counts(self) -> dict[str, Any]:
        """For metrics: a number by its name, or one for each cause or channel."""
        return {
            **self._tally.counts(),
            "moments": self._moments.moments,
            "engines": self._engine.engines,
            "faults": self._faults,
        }

    def look(self) -> None:
        """Hear what has come since the last look. The thread does nothing else; without it, call this yourself."""
        if self._engine.has_ended():
            self._let_go("the engine has ended")
        geometry = self._geometry
        if self._groups is None and not self._find(geometry):
            return
        assert self._groups is not None  # noqa: S101 - found
        assert geometry is not None  # noqa: S101
        if geometry != self._cut_by:
            self._cut_by = geometry
            self._groups.cut_by(geometry)
        self._groups.look()
        self._moments.flush()

    def end(self) -> None:
        """End all runs. ``stop`` does it; without a thread, call this yourself."""
        self._let_go("hearing has ended")

    def _find(self, geometry: Geometry | None) -> bool:
        engine = self._engine.found()
        if engine is None or geometry is None:
            return False
        self._cut_by = geometry
        self._groups = GroupTable(
            engine, self._patterns, geometry, self._outlets, utc_ns=self._utc_ns, monotonic=self._monotonic
        )
        return True

    def _let_go(self, why: str) -> None:
        groups, self._groups = self._groups, None
        try:
            if groups is not None:
                groups.close()
                self._moments.flush()
        finally:
            self._engine.let_go(why)

    def _run(self) -> None:
        while not self._stop.wait(self._look_s):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - no fault may end the hearing; said, counted, begun anew
                self._note_fault(error)
        try:
            self.end()
        except Exception:  # noqa: BLE001 - the process ends
            _LOG.exception("hearing ended by a fault")

    def _note_fault(self, error: Exception) -> None:
        if isinstance(error, TidzamError):
            _LOG.warning("hearing begins anew: %s", error)
        else:
            _LOG.error("hearing begins anew after a fault", exc_info=error)
        self._faults += 1
        try:
            self._let_go(f"hearing begins anew: {error}")
        except Exception:  # noqa: BLE001 - what can be ended has been
            _LOG.exception("runs could not be ended in order")
