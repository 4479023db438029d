"""Questions that may look through the archive: few at a time, so that other requests always find a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from streamer.web.counting import Counts
from tidzam_platform.errors import BusyError, QueryDeadlineError

MOST_AT_ONCE: Final = 4  # of the server's eight threads beside those that hear uploads


class ArchiveQuestions:
    """A number of places; nobody waits for one, since who waits holds a thread, too."""

    def __init__(self, counts: Counts) -> None:
        """Args: ``counts``: where it counts."""
        self._counts = counts
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            BusyError: all are taken.
        """
        if not self._room.acquire(blocking=False):
            self._counts.add("refused_questions_total")
            raise BusyError(
                f"{MOST_AT_ONCE} questions look through the detections, which is the limit: try again soon"
            )
        try:
            yield
        except QueryDeadlineError:
            self.cut_short()
            raise
        finally:
            self._room.release()

    def cut_short(self) -> None:
        """Count a question whose time was over."""
        self._counts.add("cut_questions_total")
