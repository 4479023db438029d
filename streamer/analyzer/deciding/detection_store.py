"""A thread that puts live detections into the catalog, in batches, each once."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from serving.client.retries import RetryPolicy
from streamer.analyzer.asking.spans import WindowSpan
from streamer.analyzer.loop_guard import LoopGuard
from tidzam_platform.catalog import Catalog
from tidzam_platform.crash_points import reach
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.errors import CatalogError

MOST_WAITING: Final = 100_000  # detections: about 40 MB, hours of a busy site
_MOST_AT_ONCE: Final = 500
_GATHER_S: Final = 0.2  # so that a transaction is worth its fsync
_BACK_OFF: Final = RetryPolicy(first_delay_s=0.2, longest_delay_s=10.0)
_LOG = logging.getLogger(__name__)


class DetectionStore:
    """Stores what it is given, and says so. Started and stopped once.

    Detections that are there already are passed over, so the same may be told again after a crash. While the catalog is
    away they wait; when too many do, the oldest are dropped, and counted.

    Args:
        catalog: where to.
        on_stored: told of windows, in the order of ``settle``, when all detections that were added before are stored.
        most_waiting: detections that wait at most.
    """

    def __init__(
        self,
        catalog: Catalog,
        on_stored: Callable[[Sequence[WindowSpan]], None] = lambda _spans: None,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._live, self._on_stored, self._most_waiting = LiveDetections(catalog), on_stored, most_waiting
        self._condition = threading.Condition()
        self._waiting: deque[Detection | tuple[WindowSpan, ...]] = deque()
        self._waiting_detections = 0
        self._ends = threading.Event()
        self._counts = {"stored": 0, "known": 0, "dropped": 0, "refused": 0, "failures": 0}
        self._problem = ""
        self._guard = LoopGuard("storing detections", self._ends.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-detections", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def add(self, detection: Detection) -> None:
        """Store a detection soon; never waits."""
        with self._condition:
            if self._waiting_detections >= self._most_waiting:
                self._drop_oldest()
            self._waiting.append(detection)
            self._waiting_detections += 1
            self._condition.notify()

    def settle(self, spans: Sequence[WindowSpan]) -> None:
        """All detections of these windows have been added; never waits."""
        with self._condition:
            if len(self._waiting) > 2 * self._most_waiting:
                return  # nobody is told: they are heard again at the next start, and stored once
            self._waiting.append(tuple(spans))
            self._condition.notify()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Store what waits, and end; returns whether all is stored."""
        self._ends.set()
        with self._condition:
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not (self._thread.is_alive() or self._waiting_detections)

    def status(self) -> dict[str, Any]:
        """What waits, and why; empty if nothing keeps it."""
        with self._condition:
            return {"waiting": self._waiting_detections, "problem": self._problem}

    def counts(self) -> dict[str, int]:
        """Counters of detections: stored, known already, dropped, refused by the catalog; failed attempts, faults."""
        with self._condition:
            return {**self._counts, "faults": self._guard.faults}

    def _drop_oldest(self) -> None:
        kept: list[tuple[WindowSpan, ...]] = []
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, Detection):
                self._waiting_detections -= 1
                self._counts["dropped"] += 1
                break
            kept.append(item)
        self._waiting.extendleft(reversed(kept))

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            with self._guard:
                goes_on = self._turn()

    def _turn(self) -> bool:
        """Store a batch; False when all is done, or cannot be."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._waiting) or self._ends.is_set())
            if not self._waiting:
                return False
        self._ends.wait(_GATHER_S)
        with self._condition:
            batch = [self._waiting.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._waiting)))]
        detections = [item for item in batch if isinstance(item, Detection)]
        if not self._is_stored(detections):
            return False
        reach("analyzer.detections.stored")
        with self._condition:
            self._waiting_detections -= len(detections)
        settled = [span for item in batch if not isinstance(item, Detection) for span in item]
        if settled:
            self._on_stored(settled)
        return True

    def _is_stored(self, detections: Sequence[Detection]) -> bool:
        """Store them, however often it takes; False if we must end before."""
        attempt = 0
        while detections:
            try:
                new = self._live.add(detections)
            except CatalogError as error:
                attempt += 1
                self._note(f"detections wait: {error}")
                if self._ends.wait(_BACK_OFF.delay_s(attempt)):
                    return self._is_stored_at_last(detections)
            except Exception as error:  # noqa: BLE001 - also what nobody foresaw: one of them must not cost the rest
                if not isinstance(error, SQLAlchemyError):
                    self._guard.note(error)
                self._store_one_by_one(detections, error)
                return True
            else:
                self._note_stored(new, len(detections))
                return True
        return True

    def _is_stored_at_last(self, detections: Sequence[Detection]) -> bool:
        """We end: one attempt more."""
        try:
            self._note_stored(self._live.add(detections), len(detections))
        except Exception as error:  # noqa: BLE001 - the process ends
            self._note(f"{len(detections)} detections are not stored: {error}")
            return False
        return True

    def _store_one_by_one(self, detections: Sequence[Detection], error: Exception) -> None:
        """The catalog is there and does not take all of them: one that it refuses must not keep the others."""
        for detection in detections:
            try:
                self._note_stored(self._live.add([detection]), 1)
            except Exception:  # noqa: BLE001 - told below
                with self._condition:
                    self._counts["refused"] += 1
        _LOG.error("the catalog refused detections: %s", " ".join(str(error).split())[:500])

    def _note_stored(self, new: int, told: int) -> None:
        with self._condition:
            self._problem = ""
            self._counts["stored"] += new
            self._counts["known"] += told - new

    def _note(self, problem: str) -> None:
        with self._condition:
            self._counts["failures"] += 1
            is_new, self._problem = problem != self._problem, problem
        if is_new:
            _LOG.warning("%s", problem)
