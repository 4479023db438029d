"""Ending what waits in another thread, at once."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from streamer.engine.shortage import shortage
from tidzam_platform.errors import FetchError

_CANCELLED: Final = "the fetch was cancelled"


class Cancellation:
    """Ends every wait of a fetch when another thread says so; once cancelled it stays so.

    Waits on file descriptors watch a pipe of it beside theirs, all others subscribe. ``cancel`` may be called from
    any thread, and again. Whoever made it closes it (it is a context manager) when all that uses it has ended.

    Making one, or a child of it, raises EngineError where the system has no more descriptors.
    """

    def __init__(self) -> None:
        try:
            self._reader, self._writer = os.pipe()
        except OSError as error:
            if (said := shortage(error)) is None:
                raise
            raise said from error
        os.set_blocking(self._writer, False)
        self._lock = threading.Lock()
        self._cancelled = False
        self._closed = False
        self._subscribers: list[Callable[[], None]] = []
        self._leave_parent: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_cancelled(self) -> bool:
        """Whether it has been cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """End every wait, now and from now on. Any thread may call it."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            if not self._closed:
                os.write(self._writer, b"x")
            subscribers = list(self._subscribers)
        for tell in subscribers:
            tell()

    def close(self) -> None:
        """Cancel, and free the pipe. May be called again."""
        self.cancel()
        if self._leave_parent is not None:
            self._leave_parent()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
                os.close(self._writer)

    def child(self) -> Cancellation:
        """One that is cancelled with this one, and also alone; to be closed before this one."""
        made = Cancellation()
        made._leave_parent = self.subscribe(made.cancel)
        return made

    def subscribe(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have ``tell`` called when it is cancelled, at once if it has been already.

        Returns:
            What ends that; it may be called again.
        """
        with self._lock:
            self._subscribers.append(tell)
            cancelled = self._cancelled
        if cancelled:
            tell()

        def leave() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._subscribers.remove(tell)

        return leave

    def require_going(self) -> None:
        """FetchError if it has been cancelled."""
        if self._cancelled:
            raise FetchError(_CANCELLED)

    def wait_for(self, handle: int, events: int, deadline_s: float) -> bool:
        """Wait until ``events`` (of ``select.poll``) are on the descriptor ``handle``.

        Args:
            handle: a file descriptor.
            events: e.g. ``select.POLLIN``; errors and hang-ups count as well.
            deadline_s: until when, of ``time.monotonic``.

        Returns:
            Whether they are; False when time ran out.

        Raises:
            FetchError: cancelled.
        """
        self.require_going()
        poll = select.poll()
        poll.register(handle, events)
        poll.register(self._reader, select.POLLIN)
        while True:
            left_s = deadline_s - time.monotonic()
            ready = poll.poll(max(left_s, 0) * 1000)
            self.require_going()
            if ready:
                return True
            if left_s <= 0:
                return False

    def sleep_until(self, deadline_s: float) -> None:
        """Wait until ``deadline_s`` (of ``time.monotonic``); FetchError when it is cancelled."""
        self.require_going()
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while (left_s := deadline_s - time.monotonic()) > 0:
            poll.poll(left_s * 1000)
            self.require_going()

    def fileno(self) -> int:
        """The descriptor that becomes readable when it is cancelled."""
        return self._reader
