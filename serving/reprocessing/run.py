"""Reprocessing from the plan to the files of the days; what is there already is not done again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from serving.repository import ModelRepository
from serving.reprocessing.engines import Engine, open_engine
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.merging import DayFile, merge_days
from serving.reprocessing.parts import Parts, parts_prefix, remove_parts
from serving.reprocessing.plan import Plan
from serving.reprocessing.range_lock import days_locked
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.detections.coverage import MissingAudio
from tidzam_platform.errors import ModelRepositoryError, ObjectNotFoundError
from tidzam_platform.home import Home

_ROUNDS: Final = 3  # parts that somebody removes meanwhile are made again so often

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


@dataclass
class Reprocessed:
    """What a run answers.

    Attributes:
        plan: what was asked for.
        generation: that heard.
        days: their files as they are now, by day; days without any recording have none.
        heard: recordings heard by this run.
        reused: recordings that an earlier run, which did not come to its end, had heard.
        missing: audio that was not heard, by time.
        seconds: how long the run took.
    """

    plan: Plan
    generation: int
    days: list[DayFile] = field(default_factory=list)
    heard: int = 0
    reused: int = 0
    missing: list[MissingAudio] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """Detections by class, of all days."""
        return sum((day.counts for day in self.days), Counter[str]())

    @property
    def detections(self) -> int:
        """How many, of all days."""
        return sum(day.detections for day in self.days)


def reprocess(
    home: Home,
    plan: Plan,
    generation: int | None = None,
    *,
    engine: Engine | None = None,
    progress: Progress = lambda _total: nullcontext(lambda _more: None),
) -> Reprocessed:
    """Hear all recordings of the plan, and replace the detections of its days.

    Killed at any moment and called again, it goes on from what was heard, and ends with the same bytes.

    Args:
        home: whose archive, models, store and catalog are used.
        plan: as ``serving.reprocessing.plan`` makes it.
        generation: None: the one in service.
        engine: where it is heard; None: as the settings say.
        progress: given all seconds of audio, makes a context manager of a function told how many more are done.

    Raises:
        ModelRepositoryError: there is no such generation, or none at all, or it is damaged.
        CatalogError: the catalog does not know that generation.
        BusyError: another process on this machine reprocesses one of these days with the same generation.
        ReprocessingError: no worker can do it.
    """
    began_s = time.monotonic()
    number = generation_of(home, generation)
    with days_locked(home.settings.locks_folder, plan, number):
        task = WorkerTask(home.settings, number, parts_prefix(home.settings, number))
        result = _Run(home, plan, task, engine or open_engine(home.settings), progress).result()
    result.seconds = time.monotonic() - began_s
    return result


def generation_of(home: Home, generation: int | None) -> int:
    """The generation of that number, or the one in service; raises as ``reprocess`` does."""
    number = generation or ModelRepository(home.settings.models_folder).in_service()
    if number is None:
        raise ModelRepositoryError(
            f"no generation in {home.settings.models_folder} yet: make one with ./tidzam generation run"
        )
    return get_generation(home.catalog, number).number


class _Run:
    """One call; it holds the lock."""

    def __init__(self, home: Home, plan: Plan, task: WorkerTask, engine: Engine, progress: Progress) -> None:
        self._home, self._plan, self._task = home, plan, task
        self._engine, self._progress = engine, progress
        self._parts = Parts(home.store, task.prefix)
        self._result = Reprocessed(plan, task.generation)

    def result(self) -> Reprocessed:
        """Hear what is left, merge, and forget the parts."""
        ready = self._parts.heard()
        self._result.reused = sum(self._parts.key(item) in ready for item in self._plan.items)
        for round_number in range(1, _ROUNDS + 1):
            self._hear(ready)
            try:
                failures = self._failures(self._parts.heard())
                heard = [item for item in self._plan.items if item.recording_id not in failures]
                self._result.days = list(
                    merge_days(self._home, self._plan, self._task.generation, heard, self._parts)
                )
                break
            except ObjectNotFoundError:
                if round_number == _ROUNDS:
                    raise
                ready = self._parts.heard()
        self._result.missing = self._missing(failures)
        remove_parts(
            self._home.store, self._task.generation, frozenset(item.recording_id for item in self._plan.items)
        )
        return self._result

    def _hear(self, ready: frozenset[str]) -> None:
        left = [item for item in self._plan.items if self._parts.key(item) not in ready]
        with self._progress(round(self._plan.seconds)) as advance:
            advance(round(self._plan.seconds) - sum(round(item.seconds) for item in left))

            def done(item: RecordingItem) -> None:
                self._result.heard += 1
                advance(round(item.seconds))

            self._engine.run(left, self._task, done)

    def _failures(self, ready: frozenset[str]) -> dict[int, str]:
        """Why recordings without a part have none, by recording.

        Raises:
            ObjectNotFoundError: nobody says why: another machine came to its end with the same recording.
        """
        failures = {}
        for item in self._plan.items:
            if self._parts.key(item) in ready:
                continue
            reason = self._parts.failure(item)
            if reason is None:
                raise ObjectNotFoundError(f"{self._parts.key(item)!r} is gone: reprocess these days again")
            failures[item.recording_id] = reason
        return failures

    def _missing(self, failures: dict[int, str]) -> list[MissingAudio]:
        found = list(self._plan.missing)
        for item in self._plan.items:
            reason = failures.get(item.recording_id)
            if reason is None:
                continue
            lost = MissingAudio("unreadable", item.start, item.end, item.path, reason)
            if (clipped := lost.within(self._plan.begin, self._plan.end)) is not None:
                found = [one for one in found if one.path != item.path]  # its holes are part of that
                found.append(clipped)
        return sorted(found, key=lambda one: (one.start, one.path or ""))
