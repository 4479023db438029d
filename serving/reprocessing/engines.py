"""Where recordings are heard: the seam between reprocessing and the machines that do the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from serving.reprocessing.items import RecordingItem, WorkerTask
from tidzam_platform.settings import Settings

ATTEMPTS: Final = 3  # that a recording is given to a worker


class Engine(Protocol):
    """Hears recordings.

    Each item is given to ``serving.reprocessing.hearing.hear_and_store`` in some worker, which puts a part file, or a
    note of why there is none, into the store. A worker that dies costs its item one of
    ``ATTEMPTS``.
    """

    def run(
        self, items: Sequence[RecordingItem], task: WorkerTask, on_done: Callable[[RecordingItem], None]
    ) -> None:
        """Hear all ``items``, in any order; returns when each is heard or given up with a note.

        Args:
            items: no two of one recording.
            task: what to do with each.
            on_done: called in the caller's thread, once an item.

        Raises:
            ReprocessingError: the work cannot be done at all, e.g. no worker can load the generation.
            KeyboardInterrupt: nothing works on when it comes out.
        """
        ...


def given_up(item: RecordingItem, died: str) -> str:
    """The note of an item at which a worker died in each attempt, ``died`` in the last one."""
    return f"{item.path}: the process that heard it died {ATTEMPTS} times, the last time with {died}"


def open_engine(settings: Settings) -> Engine:
    """The engine that ``reprocessing.engine`` names."""
    if settings.reprocessing.engine == "ray":
        from serving.reprocessing.ray_engine import RayEngine

        ray_engine: Engine = RayEngine(settings)
        return ray_engine
    from serving.reprocessing.local_engine import LocalEngine

    processes = settings.reprocessing.processes or len(os.sched_getaffinity(0))
    return LocalEngine(processes, stall_s=settings.reprocessing.stall_s)
