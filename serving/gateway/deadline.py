"""The time that one upload may take, whatever its bytes make a decoder do."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serving.gateway.refusals import HttpRefusalError
from tidzam_platform.errors import AudioError


class Deadline:
    """Counts from its making."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: how long from now; a monotonic clock in seconds."""
        self._seconds = seconds
        self._clock = clock
        self._end_s = clock() + seconds

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self._clock() >= self._end_s

    def require(self) -> None:
        """HttpRefusalError (504) if the time is over."""
        if self.passed:
            raise self._refusal()

    @contextlib.contextmanager
    def starving(self, file: Path) -> Iterator[None]:
        """When the time is over ``file`` becomes empty: whoever reads or decodes it then comes to its end.

        A damaged or hostile file can keep a decoder busy for hours while it makes progress; no look at the clock
        between two blocks would ever be reached.

        Raises:
            HttpRefusalError: the time was over (504), and so what was done with the file failed.
        """
        timer = threading.Timer(max(self._end_s - self._clock(), 0), _empty, [file])
        timer.daemon = True
        timer.start()
        try:
            yield
        except AudioError as error:
            if self.passed:
                raise self._refusal() from error
            raise
        finally:
            timer.cancel()
        self.require()  # what was heard of an emptied file is not all of it

    def _refusal(self) -> HttpRefusalError:
        return HttpRefusalError(
            504,
            "deadline",
            f"not done within {self._seconds:g} s: send less audio at once, or in fewer channels",
        )


def _empty(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.truncate(file, 0)
