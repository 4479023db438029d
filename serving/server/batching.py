"""Windows of many requests, judged together: TensorFlow Serving's dynamic batching.

Parameters and behaviour follow its ``BasicBatchScheduler`` (core ``shared_batch_scheduler.h``): a batch is run when
it is full or its oldest request has waited ``batch_timeout_micros``; a queue holds at most
``max_enqueued_batches``, and who comes later is told UNAVAILABLE. All versions share the threads, taken in turn.
Other than there, a request larger than a batch is split, and one whose deadline passed in the queue is not run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.server.metrics import Metrics
from serving.server.refusals import RefusalError
from tidzam_platform.settings import BatchingSettings

FloatArray = NDArray[np.float32]
Answers = dict[str, FloatArray]
RunBatch = Callable[[FloatArray, float], Answers]

_LOG = logging.getLogger(__name__)
# What a caller waits beyond its deadline for a run that gives up at the deadline by itself.
_GRACE_S: Final = 0.25


@dataclass(eq=False)
class _Task:
    """Windows of one request, or a part of them."""

    rows: FloatArray
    arrived_s: float
    deadline_s: float
    answer: Future[Answers] = field(default_factory=Future)


class BatchQueue:
    """The windows that wait for one version; made by ``BatchScheduler.queue``."""

    def __init__(self, scheduler: BatchScheduler, run: RunBatch) -> None:
        self._scheduler = scheduler
        self.run = run
        self.tasks: deque[_Task] = deque()
        self.rows = 0

    def predict(self, rows: FloatArray, timeout_s: float) -> Answers:
        """Answers for ``rows`` (float32 ``[n, samples]``, n from 1), each float32 ``[n, ...]``.

        Raises:
            RefusalError: UNAVAILABLE when the queue is full, DEADLINE_EXCEEDED when ``timeout_s`` passed before
                the batch ran.
            tf.errors.OpError: the graph failed.
        """
        end_s = time.monotonic() + timeout_s + _GRACE_S
        tasks = self._scheduler.submit(self, rows, timeout_s)
        try:
            answers = [task.answer.result(max(0.0, end_s - time.monotonic())) for task in tasks]
        except TimeoutError:
            self._scheduler.forget(self, tasks)
            raise RefusalError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the model answered"
            ) from None
        except BaseException:
            self._scheduler.forget(self, tasks)  # a part failed: nobody wants the others
            raise
        if len(answers) == 1:
            return answers[0]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


class BatchScheduler:
    """Threads that run the batches of all queues.

    Args:
        parameters: sizes, times and threads.
        metrics: is told of every batch.
    """

    def __init__(self, parameters: BatchingSettings, metrics: Metrics) -> None:
        self._parameters = parameters
        self._metrics = metrics
        self._most_rows = parameters.max_enqueued_batches * parameters.max_batch_size
        self._changed = threading.Condition()
        self._queues: deque[BatchQueue] = deque()  # those with work; the first is served next
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True)
            for number in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def queue(self, run: RunBatch) -> BatchQueue:
        """A queue whose batches ``run(rows, timeout_s)`` judges."""
        return BatchQueue(self, run)

    def close(self, timeout_s: float) -> bool:
        """Run nothing any more; False if a run is still under way after ``timeout_s``."""
        with self._changed:
            self._stopping = True
            waiting = [task for queue in self._queues for task in queue.tasks]
            self._queues.clear()
            self._changed.notify_all()
        for task in waiting:
            task.answer.set_exception(RefusalError(grpc.StatusCode.UNAVAILABLE, "the server is stopping"))
        end_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def submit(self, queue: BatchQueue, rows: FloatArray, timeout_s: float) -> list[_Task]:
        """Put ``rows`` into ``queue``, in parts no larger than a batch; see ``BatchQueue.predict``."""
        size, now_s = self._parameters.max_batch_size, time.monotonic()
        tasks = [
            _Task(rows[start : start + size], now_s, now_s + timeout_s) for start in range(0, len(rows), size)
        ]
        with self._changed:
            if self._stopping:
                raise RefusalError(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
            # A request larger than the whole queue is taken when nothing else waits: it would never fit.
            if queue.rows and queue.rows + len(rows) > self._most_rows:
                self._metrics.queue_full()
                raise RefusalError(
                    grpc.StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full; "
                    f"max_enqueued_batches is {self._parameters.max_enqueued_batches}",
                )
            if not queue.tasks:
                self._queues.append(queue)
            queue.tasks.extend(tasks)
            queue.rows += len(rows)
            self._changed.notify()
        return tasks

    def forget(self, queue: BatchQueue, tasks: Sequence[_Task]) -> None:
        """Take what still waits of ``tasks`` out of ``queue``."""
        with self._changed:
            for task in tasks:
                if task in queue.tasks:
                    queue.tasks.remove(task)
                    queue.rows -= len(task.rows)
            if not queue.tasks and queue in self._queues:
                self._queues.remove(queue)

    def _work(self) -> None:
        while self._run_next():  # a frame of its own: a thread that waits holds no windows
            pass

    def _run_next(self) -> bool:
        """Wait for a batch and run it; False when the scheduler stops."""
        taken = self._take()
        if taken is None:
            return False
        queue, tasks = taken
        try:
            self._run(queue, tasks)
        except BaseException as error:  # noqa: BLE001 - told to those who wait
            for task in tasks:
                if not task.answer.done():
                    task.answer.set_exception(error)
        return True

    def _take(self) -> tuple[BatchQueue, list[_Task]] | None:
        """Wait for a batch that is to be run; None when the scheduler stops."""
        with self._changed:
            while not self._stopping:
                wait_s = None
                for queue in self._queues:
                    left_s = self._waits_s(queue)
                    if left_s <= 0:
                        return queue, self._cut(queue)
                    wait_s = left_s if wait_s is None else min(wait_s, left_s)
                self._changed.wait(wait_s)
            return None

    def _waits_s(self, queue: BatchQueue) -> float:
        """How long the queue's next batch may still wait for more rows."""
        if queue.rows >= self._parameters.max_batch_size:
            return 0.0
        ready_s = queue.tasks[0].arrived_s + self._parameters.batch_timeout_micros / 1e6
        return ready_s - time.monotonic()

    def _cut(self, queue: BatchQueue) -> list[_Task]:
        """Take the next batch out of ``queue``, which goes to the end of the line."""
        tasks, rows = [], 0
        while queue.tasks and rows + len(queue.tasks[0].rows) <= self._parameters.max_batch_size:
            tasks.append(queue.tasks.popleft())
            rows += len(tasks[-1].rows)
        queue.rows -= rows
        self._queues.remove(queue)
        if queue.tasks:
            self._queues.append(queue)
            self._changed.notify()
        return tasks

    def _run(self, queue: BatchQueue, tasks: list[_Task]) -> None:
        now_s = time.monotonic()
        live = []
        for task in tasks:
            self._metrics.queued(now_s - task.arrived_s)
            if task.deadline_s <= now_s:
                self._metrics.expired()
                task.answer.set_exception(
                    RefusalError(
                        grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the request ran"
                    )
                )
            else:
                live.append(task)
        if not live:
            return
        rows = live[0].rows if len(live) == 1 else np.concatenate([task.rows for task in live])
        # One that has less time gives up waiting alone; the run goes on for the others.
        answers = queue.run(rows, max(task.deadline_s for task in live) - now_s)
        self._metrics.batch(len(rows), time.monotonic() - now_s)
        start = 0
        for task in live:
            end = start + len(task.rows)
            task.answer.set_result({name: values[start:end] for name, values in answers.items()})
            start = end
