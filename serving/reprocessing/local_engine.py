"""Recordings heard by processes of this machine; one that dies or hangs is replaced."""

from __future__ import annotations

import select
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

from serving.reprocessing.engines import ATTEMPTS, given_up
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.parts import Parts
from serving.reprocessing.worker_link import Worker
from tidzam_platform.errors import ReprocessingError
from tidzam_platform.home import open_store

_LOOK_S: Final = 1.0
_FUTILE_STARTS: Final = 3  # processes in a row that died before they were ready: no recording is to blame

Done = Callable[[RecordingItem], None]


class LocalEngine:
    """Spawned processes, each with the generation loaded once; see ``serving.reprocessing.engines``.

    Args:
        processes: how many, at least 1.
        stall_s: one that says nothing for so long is ended.
    """

    def __init__(self, processes: int, *, stall_s: float) -> None:
        self.processes, self.stall_s = processes, stall_s

    def run(self, items: Sequence[RecordingItem], task: WorkerTask, on_done: Done) -> None:
        """Hear all items, the longest first, so that no process is left alone with one in the end."""
        if not items:
            return
        run = _Run(task, on_done, self.stall_s)
        run.waiting.extend(sorted(items, key=lambda item: (-item.seconds, item.recording_id)))
        try:
            for _ in range(min(self.processes, len(items))):
                run.start_worker()
            while run.workers:
                run.step()
        finally:
            for worker in run.workers:
                worker.close()


class _Run:
    def __init__(self, task: WorkerTask, on_done: Done, stall_s: float) -> None:
        self.workers: list[Worker] = []
        self.waiting: deque[RecordingItem] = deque()
        self._task, self._on_done, self._stall_s = task, on_done, stall_s
        self._attempts: Counter[int] = Counter()
        self._futile = 0

    def start_worker(self) -> None:
        """Start a worker and give it what is next."""
        self.workers.append(worker := Worker(self._task))
        self._give_next(worker)

    def step(self) -> None:
        """Wait a little for what workers say, and act on it."""
        ready, _, _ = select.select(self.workers, [], [], _LOOK_S)
        for worker in ready:
            answers = worker.answers()
            if answers is None:
                self._replace(worker, worker.how_it_ended())
                continue
            for answer in answers:
                self._take(worker, answer)
        for worker in [one for one in self.workers if one.silent_s > self._stall_s]:
            self._replace(worker, f"it hung for {self._stall_s:g} s")

    def _take(self, worker: Worker, answer: dict[str, object]) -> None:
        if "failed" in answer:
            raise ReprocessingError(str(answer["failed"]))
        if "ready" in answer:
            worker.is_ready = True
            self._futile = 0
        if "done" in answer and (item := worker.item) is not None:
            self._give_next(worker)
            self._on_done(item)

    def _give_next(self, worker: Worker) -> None:
        if self.waiting:
            worker.give(self.waiting.popleft())
        else:
            self.workers.remove(worker)
            worker.close()

    def _replace(self, worker: Worker, how: str) -> None:
        """Take what a dead worker was at from it, and give it to a new one: another attempt, or the last was made."""
        self.workers.remove(worker)
        worker.close()
        item = worker.item
        if not worker.is_ready:
            self._futile += 1
            if self._futile == _FUTILE_STARTS:
                raise ReprocessingError(f"no process can load generation {self._task.generation}: {how}")
        if item is not None:
            self._attempts[item.recording_id] += worker.is_ready
            if self._attempts[item.recording_id] < ATTEMPTS:
                self.waiting.appendleft(item)
            else:
                parts = Parts(open_store(self._task.settings), self._task.prefix)
                parts.put_failure(item, given_up(item, how))
                self._on_done(item)
        if self.waiting:
            self.start_worker()
