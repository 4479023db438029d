"""Live detections into the catalog, in batches, each once; on disk in a journal for as long as the catalog is away."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from serving.client.retries import RetryPolicy
from streamer.analyzer.asking.spans import WindowSpan
from streamer.analyzer.deciding.detection_journal import DetectionJournal
from streamer.analyzer.loop_guard import LoopGuard
from tidzam_platform.catalog import Catalog
from tidzam_platform.crash_points import reach
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.errors import CatalogError

MOST_WAITING: Final = 100_000  # detections: about 40 MB, and 25 MB of disk; hours of a busy site
_MOST_AT_ONCE: Final = 500
_GATHER_S: Final = 0.2  # so that a transaction is worth its fsync
_BACK_OFF: Final = RetryPolicy(first_delay_s=0.2, longest_delay_s=10.0)
_LOG = logging.getLogger(__name__)

_Spans = tuple[WindowSpan, ...]


class _Waiting(NamedTuple):
    """What waits for the catalog."""

    item: Detection | _Spans
    file: int | None = None  # of the journal that holds the detection


class DetectionStore:
    """Stores what it is given, and says so. Started and stopped once.

    A detection is stored when it is in the catalog or in the journal, from where the next start brings it into the
    catalog. Those that the catalog has already are passed over, so the same may be told again after a crash. While the
    catalog is away they wait; when too many do, the oldest are dropped, and counted.

    Two threads: one writes down what is handed in, which a catalog that is locked for long does not hold up; the other
    brings it into the catalog.

    Args:
        catalog: where to.
        journal: keeps what waits; closed by who opened it, after ``stop``.
        on_stored: told of windows when all detections that were added before them are stored.
        most_waiting: detections that wait at most, in memory and in the journal.
    """

    def __init__(
        self,
        catalog: Catalog,
        journal: DetectionJournal,
        on_stored: Callable[[Sequence[WindowSpan]], None] = lambda _spans: None,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._live, self._journal, self._on_stored = LiveDetections(catalog), journal, on_stored
        self._most_waiting = most_waiting
        self._condition = threading.Condition()
        self._handed_in: deque[Detection | _Spans] = deque()
        recovered = journal.recovered()
        self._waiting = deque(_Waiting(detection, file) for detection, file in recovered)
        self._waiting_detections = self._durable = len(recovered)  # all that wait; those in the journal
        self._dropped_files: list[int] = []
        self._ends, self._all_written = threading.Event(), False
        self._counts = {
            "stored": 0,
            "known": 0,
            "recovered": len(recovered),
            "dropped": 0,
            "refused": 0,
            "failures": 0,
            "journal_failures": 0,
        }
        self._problem = self._journal_problem = ""
        self._guards = [LoopGuard("storing detections", self._ends.wait) for _ in range(2)]
        self._writing = threading.Thread(target=self._write_all, name="tidzam-journal", daemon=True)
        self._thread = threading.Thread(target=self._store_all, name="tidzam-detections", daemon=True)

    def start(self) -> None:
        """Begin to store, first what an earlier process left in the journal."""
        self._writing.start()
        self._thread.start()

    def add(self, detection: Detection) -> None:
        """Store a detection soon; never waits."""
        with self._condition:
            if self._waiting_detections >= self._most_waiting:
                self._drop_oldest()
            self._handed_in.append(detection)
            self._waiting_detections += 1
            self._condition.notify_all()

    def settle(self, spans: Sequence[WindowSpan]) -> None:
        """All detections of these windows have been added; never waits."""
        with self._condition:
            if len(self._handed_in) + len(self._waiting) > 2 * self._most_waiting:
                return  # nobody is told: they are heard again at the next start, and stored once
            self._handed_in.append(tuple(spans))
            self._condition.notify_all()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Store what waits, and end; returns whether all is stored, and nothing goes on.

        What the catalog has not taken by then is in the journal, and told in the log; what is not even there is lost,
        and told as an error.
        """
        end_s = time.monotonic() + timeout_s
        self._ends.set()
        with self._condition:
            self._condition.notify_all()
        for thread in (self._writing, self._thread):
            if thread.ident is not None:
                thread.join(max(0.0, end_s - time.monotonic()))
        with self._condition:
            left, lost = self._durable, self._waiting_detections - self._durable
            why = self._problem or "the catalog has not taken them yet"
        if left:
            _LOG.warning("%d detections wait in the journal for the next start: %s", left, why)
        if lost:
            _LOG.error("%d detections are lost: neither catalog nor journal took them", lost)
        return not (lost or self._writing.is_alive() or self._thread.is_alive())

    def status(self) -> dict[str, Any]:
        """What waits, how much of it is in the journal, and why; empty if nothing keeps it."""
        with self._condition:
            return {
                "waiting": self._waiting_detections,
                "journaled": self._durable,
                "problem": self._problem or self._journal_problem,
            }

    def counts(self) -> dict[str, int]:
        """Counters of detections: stored, known already, recovered from the journal, dropped, refused by the catalog.

        And failed attempts, of the catalog and of the journal; faults.
        """
        with self._condition:
            return {**self._counts, "faults": sum(guard.faults for guard in self._guards)}

    def _drop_oldest(self) -> None:
        kept: list[_Waiting] = []
        while self._waiting:
            waiting = self._waiting.popleft()
            if isinstance(waiting.item, Detection):
                self._forget(waiting)
                self._waiting.extendleft(reversed(kept))
                return
            kept.append(waiting)
        self._waiting.extend(kept)
        for place, item in enumerate(self._handed_in):
            if isinstance(item, Detection):
                del self._handed_in[place]
                self._forget(_Waiting(item))
                return

    def _forget(self, waiting: _Waiting) -> None:
        self._waiting_detections -= 1
        self._counts["dropped"] += 1
        if waiting.file is not None:
            self._durable -= 1
            self._dropped_files.append(waiting.file)

    def _write_all(self) -> None:
        goes_on = True
        while goes_on:
            with self._guards[0]:
                goes_on = self._write_some()
        with self._condition:
            self._write_rest()
            self._all_written = True
            self._condition.notify_all()

    def _write_some(self) -> bool:
        """Write down what was handed in; False when all is done."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._handed_in) or self._ends.is_set())
            if not self._handed_in:
                return False
        self._ends.wait(_GATHER_S)
        with self._condition:
            batch = [self._handed_in.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._handed_in)))]
            dropped, self._dropped_files = self._dropped_files, []
        self._journal.done(dropped)
        detections = [item for item in batch if isinstance(item, Detection)]
        files = iter(self._written(detections))
        waiting = [
            _Waiting(item, next(files)) if isinstance(item, Detection) else _Waiting(item) for item in batch
        ]
        written = sum(one.file is not None for one in waiting)
        spans = [one for one in waiting if not isinstance(one.item, Detection)]
        with self._condition:
            others_wait = self._waiting_detections > len(detections)
            self._durable += written
        is_safe = self._is_synced() if spans or others_wait else True
        with self._condition:
            settled = bool(spans) and is_safe and self._all_durable()
            self._waiting += [one for one in waiting if isinstance(one.item, Detection) or not settled]
            self._condition.notify_all()
        if settled:
            self._tell(spans)
        return True

    def _all_durable(self) -> bool:
        """Whether all detections before those that are still handed in are in the journal, or the catalog."""
        handed_in = sum(isinstance(item, Detection) for item in self._handed_in)
        return self._waiting_detections - handed_in == self._durable

    def _write_rest(self) -> None:
        """We end: once more what the journal did not take."""
        for place, (item, file) in enumerate(self._waiting):
            if isinstance(item, Detection) and file is None:
                (number,) = self._written([item])
                self._waiting[place] = _Waiting(item, number)
                self._durable += number is not None
        self._is_synced()

    def _written(self, detections: Sequence[Detection]) -> list[int | None]:
        """The file of the journal that holds each of them now; None where none does."""
        if not detections:
            return []
        try:
            number = self._journal.append(detections)
        except OSError as error:
            self._note_journal(error)
            return [None] * len(detections)
        except Exception:  # noqa: BLE001 - one makes no sense: it must not cost the others; the catalog refuses it
            if len(detections) == 1:
                return [None]
            return [self._written([one])[0] for one in detections]
        reach("analyzer.detections.journaled")
        self._journal_problem = ""
        return [number] * len(detections)

    def _is_synced(self) -> bool:
        try:
            self._journal.sync()
        except OSError as error:
            self._note_journal(error)
            return False
        return True

    def _note_journal(self, error: OSError) -> None:
        problem = f"the journal of detections cannot be written: {error.strerror or error}"
        if problem != self._journal_problem:
            _LOG.warning("%s; they wait in memory", problem)
        with self._condition:
            self._journal_problem = problem
            self._counts["journal_failures"] += 1

    def _store_all(self) -> None:
        goes_on = True
        while goes_on:
            with self._guards[1]:
                goes_on = self._store_some()

    def _store_some(self) -> bool:
        """Bring a batch into the catalog; False when all is done, or cannot be."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._waiting) or self._all_written)
            if not self._waiting:
                return False
            batch = [self._waiting.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._waiting)))]
        detections = [one.item for one in batch if isinstance(one.item, Detection)]
        files = [one.file for one in batch if one.file is not None]
        if not self._is_stored(detections, is_safe=len(files) == len(detections)):
            return False
        reach("analyzer.detections.stored")
        with self._condition:
            self._waiting_detections -= len(detections)
            self._durable -= len(files)
        self._journal.done(files)
        self._tell(batch)
        return True

    def _tell(self, batch: Sequence[_Waiting]) -> None:
        settled = [span for one in batch if not isinstance(one.item, Detection) for span in one.item]
        if settled:
            self._on_stored(settled)

    def _is_stored(self, detections: Sequence[Detection], *, is_safe: bool) -> bool:
        """Store them, however often it takes; False if we must end before."""
        attempt = 0
        while detections:
            try:
                new = self._live.add(detections)
            except CatalogError as error:
                attempt += 1
                self._note(f"detections wait: {error}")
                if self._ends.wait(_BACK_OFF.delay_s(attempt)):
                    return not is_safe and self._is_stored_at_last(detections)
            except Exception as error:  # noqa: BLE001 - also what nobody foresaw: one of them must not cost the rest
                if not isinstance(error, SQLAlchemyError):
                    self._guards[1].note(error)
                self._store_one_by_one(detections, error)
                return True
            else:
                self._note_stored(new, len(detections))
                return True
        return True

    def _is_stored_at_last(self, detections: Sequence[Detection]) -> bool:
        """We end, and the journal does not have all of them: one attempt more."""
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
