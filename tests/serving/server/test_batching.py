"""Requests are judged together, each gets its own answer, and what waits is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.batching import BatchScheduler
from serving.server.metrics import Metrics
from serving.server.refusals import RefusalError
from tests.support.waiting import wait_for
from tidzam_platform.settings import BatchingSettings

Rows = np.ndarray


class Model:
    """Doubles, and remembers the batches; runs only while its gate is open."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, rows: Rows, _timeout_s: float) -> dict[str, Rows]:
        self.batches.append(len(rows))
        assert self.gate.wait(10)
        return {"double": rows * 2, "sum": rows.sum(axis=1)}


@pytest.fixture
def model() -> Model:
    return Model()


def scheduler_of(**parameters: int) -> BatchScheduler:
    return BatchScheduler(BatchingSettings(**{"num_batch_threads": 1, **parameters}), Metrics())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


def rows_of(number: int, count: int = 1) -> Rows:
    return np.full((count, 3), number, np.float32)


def busy(scheduler: BatchScheduler, model: Model, pool: ThreadPoolExecutor):
    """A queue whose only thread runs a batch that does not end before ``model.gate`` opens."""
    queue = scheduler.queue(model)
    model.gate.clear()
    first = pool.submit(queue.predict, rows_of(0), 10)
    wait_for(lambda: model.batches == [1], "the first batch")
    return queue, first


@given(st.lists(st.integers(1, 7), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 3))
def test_everyone_gets_the_answers_of_their_own_rows(sizes: list[int], largest: int, threads: int) -> None:
    scheduler = scheduler_of(max_batch_size=largest, max_enqueued_batches=1000, num_batch_threads=threads)
    model = Model()
    queue = scheduler.queue(model)
    with ThreadPoolExecutor(len(sizes)) as pool:
        waiting = [pool.submit(queue.predict, rows_of(number, size), 10) for number, size in enumerate(sizes)]
        for number, (size, answer) in enumerate(zip(sizes, waiting, strict=True)):
            answers = answer.result(10)
            np.testing.assert_array_equal(answers["double"], rows_of(2 * number, size))
            np.testing.assert_array_equal(answers["sum"], np.full(size, 3 * number))
    assert max(model.batches) <= largest
    assert sum(model.batches) == sum(sizes)
    assert scheduler.close(10)


def test_what_waits_while_a_batch_runs_becomes_the_next_batch(model: Model, pool: ThreadPoolExecutor) -> None:
    scheduler = scheduler_of(max_batch_size=8)
    queue, first = busy(scheduler, model, pool)
    others = [pool.submit(queue.predict, rows_of(number), 10) for number in range(1, 8)]
    wait_for(lambda: queue.rows == 7, "seven rows that wait")
    model.gate.set()
    for number, answer in enumerate([first, *others]):
        assert answer.result(10)["sum"] == 3 * number
    assert model.batches == [1, 7]
    assert scheduler.close(10)


def test_a_batch_waits_for_more_rows_as_long_as_it_is_told(model: Model, pool: ThreadPoolExecutor) -> None:
    scheduler = scheduler_of(max_batch_size=4, batch_timeout_micros=60_000_000)
    queue = scheduler.queue(model)
    waiting = [pool.submit(queue.predict, rows_of(1), 70) for _ in range(4)]  # the fourth makes it full
    for answer in waiting:
        answer.result(30)
    assert model.batches == [4]
    assert scheduler.close(10)


def test_a_full_queue_refuses(model: Model, pool: ThreadPoolExecutor) -> None:
    scheduler = scheduler_of(max_batch_size=2, max_enqueued_batches=2)
    queue, _ = busy(scheduler, model, pool)
    waiting = [pool.submit(queue.predict, rows_of(1), 10) for _ in range(4)]
    wait_for(lambda: queue.rows == 4, "a full queue")
    # core/kernels/batching_util/basic_batch_scheduler.h: "fails with an UNAVAILABLE error"
    with pytest.raises(RefusalError, match="max_enqueued_batches is 2") as refusal:
        queue.predict(rows_of(1), 10)
    assert refusal.value.code is grpc.StatusCode.UNAVAILABLE
    assert b"tidzam_server_queue_full_total 1.0" in scheduler._metrics.render()[0]
    model.gate.set()
    for answer in waiting:
        answer.result(10)
    assert scheduler.close(10)


def test_a_request_larger_than_the_queue_is_split_and_answered(model: Model) -> None:
    scheduler = scheduler_of(max_batch_size=2, max_enqueued_batches=2)
    answers = scheduler.queue(model).predict(rows_of(3, 11), 10)
    np.testing.assert_array_equal(answers["double"], rows_of(6, 11))
    assert model.batches == [2, 2, 2, 2, 2, 1]
    assert scheduler.close(10)


def test_nobody_waits_beyond_the_deadline_and_the_late_are_not_computed(
    model: Model, pool: ThreadPoolExecutor
) -> None:
    scheduler = scheduler_of(max_batch_size=2)
    queue, first = busy(scheduler, model, pool)
    began_s = time.monotonic()
    with pytest.raises(RefusalError) as refusal:
        queue.predict(rows_of(9), 0.1)
    assert time.monotonic() - began_s < 5
    assert refusal.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert queue.rows == 0, "what nobody waits for is out of the queue"
    model.gate.set()
    first.result(10)
    assert model.batches == [1]
    assert scheduler.close(10)


def test_a_failed_batch_fails_its_requests_and_the_next_one_runs(pool: ThreadPoolExecutor) -> None:
    def explode(rows: Rows, _timeout_s: float) -> dict[str, Rows]:
        if rows[0, 0] == 13:
            raise OverflowError("thirteen")
        return {"same": rows}

    scheduler = scheduler_of(max_batch_size=1)
    queue = scheduler.queue(explode)
    with pytest.raises(OverflowError):
        queue.predict(rows_of(13), 10)
    assert queue.predict(rows_of(1), 10)["same"].shape == (1, 3)
    assert scheduler.close(10)


def test_versions_take_turns(pool: ThreadPoolExecutor) -> None:
    order: list[str] = []
    gate = threading.Event()

    def model_named(name: str):
        def run(rows: Rows, _timeout_s: float) -> dict[str, Rows]:
            order.append(name)
            assert gate.wait(10)
            return {"same": rows}

        return run

    scheduler = scheduler_of(max_batch_size=1, max_enqueued_batches=100)
    stable, canary = scheduler.queue(model_named("stable")), scheduler.queue(model_named("canary"))
    waiting = [pool.submit(stable.predict, rows_of(0), 10) for _ in range(6)]
    wait_for(lambda: stable.rows == 5, "five rows of stable")
    waiting += [pool.submit(canary.predict, rows_of(0), 10) for _ in range(2)]
    wait_for(lambda: canary.rows == 2, "two rows of canary")
    gate.set()
    for answer in waiting:
        answer.result(10)
    assert order.index("canary") <= 2, "it does not wait for all of the other"
    assert scheduler.close(10)


def test_who_waits_when_the_server_stops_is_told(model: Model, pool: ThreadPoolExecutor) -> None:
    scheduler = scheduler_of(max_batch_size=1)
    queue, first = busy(scheduler, model, pool)
    waiting = pool.submit(queue.predict, rows_of(1), 10)
    wait_for(lambda: queue.rows == 1, "a row that waits")
    assert not scheduler.close(0.05), "a batch is still under way"
    with pytest.raises(RefusalError, match="stopping"):
        waiting.result(10)
    with pytest.raises(RefusalError, match="stopping"):
        queue.predict(rows_of(1), 10)
    model.gate.set()
    first.result(10)
    assert scheduler.close(10)


def test_the_parts_of_a_request_share_its_deadline(model: Model, pool: ThreadPoolExecutor) -> None:
    scheduler = scheduler_of(max_batch_size=1, max_enqueued_batches=100)
    queue, first = busy(scheduler, model, pool)
    began_s = time.monotonic()
    with pytest.raises(RefusalError) as refusal:
        queue.predict(rows_of(9, 60), 0.1)
    assert time.monotonic() - began_s < 10, "sixty parts of 0.35 s each would be 21 s"
    assert refusal.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    model.gate.set()
    first.result(10)
    assert scheduler.close(10)
