"""The observer of pairs: compares what stable and canary say, adds it up, and keeps it in the catalog now and then."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from serving.client import PairLatency, Prediction
from serving.client.routes import Key
from serving.shadow.comparison import Disagreement, Side, compare
from serving.shadow.origins import read_origins
from serving.shadow.records import HourFigures, Pair, add_comparisons
from serving.signature import ModelDescription
from tidzam_platform.catalog import Catalog
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import CatalogError
from tidzam_platform.settings import DecisionSettings

_LOG = logging.getLogger(__name__)
FLUSH_S: Final = 30.0
FLUSH_WINDOWS: Final = 20_000
_MOST_HOURS: Final = 48  # of all pairs, kept in memory while the catalog does not answer
_MOST_DISAGREEMENTS: Final = 100  # of a pair, between two flushes
_MOST_SIDES: Final = 8  # generations whose classes are remembered


class ShadowRecorder:
    """A ``PairObserver``; safe to use from many threads. Close it, or use it as a context, after its client.

    A thread of its own writes, so that no answer waits for the catalog. What cannot be written stays and is tried
    again; at most 48 hours of pairs stay, older ones are given up and counted in ``lost_windows``.

    Args:
        catalog: where the figures go.
        decision: how scores become answers, as for live audio and files.
        describe: classes of a generation; asked for each batch, so it should remember them (``ModelClient.describe``
            does).
        flush_s: seconds between two writes.
        flush_windows: it writes earlier after so many windows.
        now: the time, aware.
        on_disagreement: told of each window for which both decided differently; must neither wait nor raise.
    """

    def __init__(
        self,
        catalog: Catalog,
        decision: DecisionSettings,
        describe: Callable[[int], ModelDescription],
        *,
        flush_s: float = FLUSH_S,
        flush_windows: int = FLUSH_WINDOWS,
        now: Callable[[], datetime] = utc_now,
        on_disagreement: Callable[[Disagreement], None] = lambda _disagreement: None,
    ) -> None:
        self._on_disagreement = on_disagreement
        self._catalog, self._decision, self._describe, self._now = catalog, decision, describe, now
        self._flush_s, self._flush_windows = flush_s, flush_windows
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._sides: dict[int, Side] = {}
        self._hours: dict[tuple[Pair, datetime], HourFigures] = {}
        self._disagreements: dict[Pair, deque[tuple[datetime, Disagreement]]] = {}
        self._pending_windows = 0
        self._closed = threading.Event()
        self.lost_windows = 0
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._flush_now_and_then, name="shadow-recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, stable: Prediction, canary: Prediction, latency: PairLatency, key: Key | None) -> None:
        """Compare a batch.

        Raises:
            ModelServerError: a generation cannot be described any more, or its answer does not fit its description.
            SettingsError: the rule of decision does not fit its classes.
        """
        if stable.generation == canary.generation:  # the canary was promoted a moment ago: nothing to compare
            return
        figures, found = compare(
            self._side(stable.generation),
            self._side(canary.generation),
            stable,
            canary,
            read_origins(key, len(stable.scores)),
        )
        figures.stable.latency.add(latency.stable_s)
        figures.canary.latency.add(latency.canary_s)
        at = self._now()
        pair = (stable.generation, canary.generation)
        with self._lock:
            self._add(pair, at.replace(minute=0, second=0, microsecond=0), HourFigures(figures, at, at))
            kept = self._disagreements.setdefault(pair, deque(maxlen=_MOST_DISAGREEMENTS))
            kept.extend((at, one) for one in found)
            self._pending_windows += figures.windows
            if self._pending_windows >= self._flush_windows:
                self._wake.set()
        for one in found:
            self._on_disagreement(one)

    def flush(self) -> None:
        """Write what was not written yet.

        Raises:
            CatalogError: the catalog does not answer; it is tried again later.
        """
        with self._flushing:
            with self._lock:
                hours, self._hours = self._hours, {}
                disagreements, self._disagreements = self._disagreements, {}
                self._pending_windows = 0
            if not hours:
                return
            try:
                add_comparisons(self._catalog, hours, disagreements, self._now())
            except CatalogError:
                self._take_back(hours, disagreements)
                raise
            except SQLAlchemyError as error:  # it would be refused again
                self.lost_windows += sum(one.figures.windows for one in hours.values())
                raise CatalogError(f"the catalog refused what stable and canary said: {error}") from error

    def close(self) -> None:
        """Write the rest, and end; CatalogError if it cannot be written."""
        self._closed.set()
        self._wake.set()
        self._thread.join()
        self.flush()

    def _flush_now_and_then(self) -> None:
        while not self._closed.is_set():
            self._wake.wait(self._flush_s)
            self._wake.clear()
            if self._closed.is_set():
                return
            try:
                self.flush()
            except CatalogError as error:
                _LOG.warning("what stable and canary said is not written yet: %s", error)

    def _side(self, generation: int) -> Side:
        description = self._describe(generation)
        with self._lock:
            side = self._sides.get(generation)
            if side is None or side.description != description:  # another home's server may come back
                if len(self._sides) >= _MOST_SIDES:
                    self._sides.clear()
                side = self._sides[generation] = Side(description, self._decision)
            return side

    def _add(self, pair: Pair, hour: datetime, added: HourFigures) -> None:
        known = self._hours.get((pair, hour))
        if known is not None:
            known.merge(added)
            return
        self._hours[pair, hour] = added
        while len(self._hours) > _MOST_HOURS:
            oldest = min(self._hours, key=lambda key: key[1])
            self.lost_windows += self._hours.pop(oldest).figures.windows
            self._disagreements.pop(oldest[0], None)

    def _take_back(
        self,
        hours: dict[tuple[Pair, datetime], HourFigures],
        disagreements: dict[Pair, deque[tuple[datetime, Disagreement]]],
    ) -> None:
        with self._lock:
            for pair, found in disagreements.items():
                found.extend(self._disagreements.get(pair, ()))  # those are newer
                self._disagreements[pair] = found
            for (pair, hour), figures in hours.items():
                self._add(pair, hour, figures)
