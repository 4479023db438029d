"""What is sent again, how often, and what stops it: deadlines, places in flight, the breaker."""

from __future__ import annotations

import socket
import threading
import time

import grpc
import numpy as np
import pytest

from serving.client import BreakerPolicy, BreakerState, ModelClient, RetryPolicy
from tests.support.waiting import wait_for
from tidzam_platform.errors import (
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

AUDIO = np.full((2, 5), 0.25, np.float32)
QUICK = RetryPolicy(first_delay_s=0.01)
PATIENT = BreakerPolicy(failures=1000)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def test_unavailable_is_tried_again_and_the_caller_sees_only_the_answer(scripted):
    scripted.fail_next(UNAVAILABLE, UNAVAILABLE, UNAVAILABLE)
    with ModelClient(scripted.address, retry=QUICK) as client:
        assert client.predict(AUDIO, version=3).scores.tolist() == [[3, 0.25, 0]] * 2
        counts = client.counts
    assert (counts.requests, counts.answers, counts.unavailable, counts.retries) == (4, 1, 3, 3)
    assert len(scripted.asked) == 4


def test_nothing_else_is_tried_again(scripted):
    codes = [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, UNAVAILABLE)]
    with ModelClient(scripted.address, retry=QUICK) as client:
        for number, code in enumerate(codes, 1):
            scripted.fail_next(code)
            with pytest.raises(ModelServerError) as error:
                client.predict(AUDIO, version=3)
            assert not isinstance(error.value, ModelServerUnavailableError), code
            assert len(scripted.asked) == number, code
        assert client.counts.retries == 0
        assert client.counts.refused == len(codes) - 1
        assert client.counts.deadline_exceeded == 1


def test_attempts_end(scripted):
    scripted.fail_always(UNAVAILABLE)
    with (
        ModelClient(scripted.address, retry=RetryPolicy(3, 0.01), breaker=PATIENT) as client,
        pytest.raises(ModelServerUnavailableError, match=r"as always.*\./tidzam serve") as error,
    ):
        client.predict(AUDIO)
    assert len(scripted.asked) == 3
    assert error.value.retry_after_s is None


def test_a_full_queue_of_the_server_is_waited_for_and_is_no_sign_of_its_death(scripted):
    full = "The batch scheduling queue to which this task was submitted is full; max_enqueued_batches is 8"
    scripted.fail_next(*[UNAVAILABLE] * 10, details=full)
    policy = BreakerPolicy(failures=3)
    with ModelClient(scripted.address, retry=RetryPolicy(2, 0.01, 0.02), breaker=policy) as client:
        assert client.predict(AUDIO, version=3).generation == 3
        counts = client.counts
        assert (counts.queue_full, counts.unavailable, counts.retries) == (10, 0, 10)
        assert client.breaker_state() is BreakerState.CLOSED
        scripted.fail_next(*[UNAVAILABLE] * 1000, details=full)
        with pytest.raises(
            ModelServerBusyError, match=r"more to do than its queue holds .*max_enqueued_batches"
        ):
            client.predict(AUDIO, version=3, deadline_s=0.3)
        assert client.breaker_state() is BreakerState.CLOSED


def test_waits_between_attempts_grow_are_drawn_and_end_at_the_longest():
    policy = RetryPolicy(first_delay_s=0.1, longest_delay_s=2.0)
    for attempt, longest_s in [(1, 0.1), (2, 0.2), (3, 0.4), (5, 1.6), (6, 2.0), (5000, 2.0)]:
        drawn_s = {policy.delay_s(attempt) for _ in range(50)}
        assert len(drawn_s) > 1
        assert longest_s / 2 <= min(drawn_s) <= max(drawn_s) <= longest_s


def test_no_wait_goes_beyond_the_deadline(scripted):
    scripted.fail_always(UNAVAILABLE)
    began_s = time.monotonic()
    with (
        ModelClient(scripted.address, deadline_s=1, retry=RetryPolicy(100, 30, 30)) as client,
        pytest.raises(ModelServerUnavailableError),
    ):
        client.predict(AUDIO)
    assert time.monotonic() - began_s < 10
    assert len(scripted.asked) == 1


def test_a_call_may_bring_its_own_deadline(scripted):
    scripted.hold()
    with ModelClient(scripted.address, deadline_s=60) as client:
        with pytest.raises(ModelServerDeadlineError, match=r"within 0\.3 s"):
            client.predict(AUDIO, deadline_s=0.3)
        for wrong in (0, -1, float("nan"), float("inf")):
            with pytest.raises(ModelServerError, match="positive number of seconds"):
                client.predict(AUDIO, deadline_s=wrong)
        assert client.counts.deadline_exceeded == 1


def test_the_deadline_is_of_the_whole_batch_not_of_each_message(scripted):
    scripted.delay_s = 0.3
    with ModelClient(scripted.address, deadline_s=1) as client, pytest.raises(ModelServerDeadlineError):
        client.predict(np.zeros((640, 5), np.float32))  # ten messages
    assert 1 < len(scripted.asked) < 8


def test_no_more_requests_are_in_flight_than_allowed(scripted):
    answers: list[float] = []

    def ask() -> None:
        answers.extend(float(client.predict(AUDIO, version=3).scores[0, 0]) for _ in range(5))

    with ModelClient(scripted.address, max_in_flight=3) as client:
        gate = scripted.hold()
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_for(lambda: client.counts.in_flight == 3, "three requests in flight")
        wait_for(lambda: len(scripted.asked) == 3, "three requests at the server")
        gate.set()
        for thread in threads:
            thread.join(30)
        assert client.counts.in_flight == 0
    assert answers == [3.0] * 40
    assert scripted.most_at_once == 3


def test_who_finds_no_place_in_time_is_told_so(scripted):
    with ModelClient(scripted.address, max_in_flight=1) as client:
        gate = scripted.hold()
        first = threading.Thread(target=client.predict, args=(AUDIO, 3))
        first.start()
        wait_for(lambda: len(scripted.asked) == 1, "the first request")
        with pytest.raises(ModelServerBusyError, match=r"waited 0\.2 s behind 1 others"):
            client.predict(AUDIO, version=3, deadline_s=0.2)
        gate.set()
        first.join(30)
        assert client.predict(AUDIO, version=3).generation == 3
        assert client.counts.busy == 1
        assert client.breaker_state() is BreakerState.CLOSED
    assert len(scripted.asked) == 2


def test_a_server_that_fails_is_left_alone_and_asked_again_later(scripted):
    policy = BreakerPolicy(failures=2, first_open_s=0.3, longest_open_s=0.3)
    with ModelClient(scripted.address, retry=QUICK, breaker=policy) as client:
        scripted.fail_always(UNAVAILABLE)
        with pytest.raises(ModelServerUnavailableError, match="as always") as error:
            client.predict(AUDIO, version=3)
        assert 0 < error.value.retry_after_s <= 0.36
        assert len(scripted.asked) == 2, "no retry against an open breaker"
        with pytest.raises(
            ModelServerUnavailableError, match=r"2 times in a row and is asked again in 0\.\d"
        ):
            client.predict(AUDIO, version=3)
        assert len(scripted.asked) == 2
        assert client.breaker_state() is BreakerState.OPEN
        scripted.fail_always(None)
        wait_for(lambda: _answers(client), "an answer")
        counts = client.counts
        assert (counts.breaker_opened, counts.breaker_closed) == (1, 1)
        assert counts.breaker_refused >= 1
        assert client.breaker_state() is BreakerState.CLOSED


def test_one_request_finds_out_whether_the_server_is_back_and_the_others_do_not_wait(scripted):
    policy = BreakerPolicy(failures=1, first_open_s=0.05, longest_open_s=0.05)
    with ModelClient(scripted.address, retry=RetryPolicy(1), breaker=policy) as client:
        scripted.fail_next(UNAVAILABLE)
        with pytest.raises(ModelServerUnavailableError):
            client.predict(AUDIO, version=3)
        time.sleep(0.1)
        gate = scripted.hold()
        probe = threading.Thread(target=client.predict, args=(AUDIO, 3))
        probe.start()
        wait_for(lambda: len(scripted.asked) == 2, "the probe")
        for _ in range(3):
            with pytest.raises(ModelServerUnavailableError, match="is asked again"):
                client.predict(AUDIO, version=3)
        assert len(scripted.asked) == 2
        gate.set()
        probe.join(30)
        assert client.breaker_state() is BreakerState.CLOSED


def test_refusals_do_not_open_the_breaker(scripted):
    with ModelClient(scripted.address, breaker=BreakerPolicy(failures=2)) as client:
        for _ in range(10):
            scripted.fail_next(grpc.StatusCode.INVALID_ARGUMENT)
            with pytest.raises(ModelServerError, match="INVALID_ARGUMENT"):
                client.predict(AUDIO, version=3)
        assert client.breaker_state() is BreakerState.CLOSED


def test_status_is_told_past_an_open_breaker_and_waiting_for_a_version_closes_it(scripted):
    policy = BreakerPolicy(failures=1, first_open_s=60, longest_open_s=60)
    with ModelClient(scripted.address, retry=RetryPolicy(1), breaker=policy) as client:
        scripted.fail_next(UNAVAILABLE)
        with pytest.raises(ModelServerUnavailableError):
            client.predict(AUDIO, version=3)
        assert client.breaker_state() is BreakerState.OPEN
        assert client.status() == {3: "AVAILABLE"}
        assert client.breaker_state() is BreakerState.OPEN
        assert client.wait_until_available(timeout_s=10) == 3
        assert client.predict(AUDIO, version=3).generation == 3


def test_a_client_that_is_closed_says_so_also_to_who_waits(scripted):
    scripted.fail_always(UNAVAILABLE)
    client = ModelClient(scripted.address, deadline_s=60, retry=RetryPolicy(100, 20, 20), breaker=PATIENT)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.predict(AUDIO)
        except ModelServerError as error:
            errors.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for(lambda: client.counts.unavailable == 1, "the first attempt")
    client.close()
    waiting.join(10)
    assert [type(error) for error in errors] == [ModelServerUnavailableError]
    with pytest.raises(ModelServerError, match="is closed"):
        client.predict(AUDIO)
    with pytest.raises(ModelServerError, match="is closed"):
        client.status()


def test_closing_ends_requests_in_flight(scripted):
    scripted.hold()
    client = ModelClient(scripted.address, deadline_s=60)
    errors: list[str] = []

    def ask() -> None:
        try:
            client.predict(AUDIO)
        except ModelServerError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for(lambda: len(scripted.asked) == 1, "the request")
    client.close()
    waiting.join(10)
    assert len(errors) == 1
    assert "is closed" in errors[0]


def test_a_server_that_was_never_there_opens_the_breaker_too():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with ModelClient(address, retry=QUICK) as client:
        for _ in range(3):
            with pytest.raises(ModelServerUnavailableError, match=rf"{address}.*\./tidzam serve"):
                client.predict(AUDIO)
        assert client.breaker_state() is BreakerState.OPEN


def test_a_server_without_any_generation_is_told_as_such(scripted):
    scripted.versions.clear()
    with ModelClient(scripted.address, retry=QUICK) as client:
        with pytest.raises(
            ModelServerError, match=r"no generation to answer with: .*\./tidzam generation run"
        ):
            client.describe()
        with pytest.raises(ModelServerError, match=r"NOT_FOUND: .*Specific\(tidzam, 9\)"):
            client.describe(9)


def _answers(client: ModelClient) -> bool:
    try:
        return client.predict(AUDIO, version=3).generation == 3
    except ModelServerUnavailableError:
        return False
