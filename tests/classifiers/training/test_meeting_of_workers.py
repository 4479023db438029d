"""Workers wait for each other, with an end; one that does not go on ends the waiting of the others."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.waiting import wait_for
from tidzam_platform.classifiers.training.distributed.health import HealthWatch
from tidzam_platform.classifiers.training.distributed.lost import lost_worker_told
from tidzam_platform.classifiers.training.distributed.rendezvous import wait_for_all
from tidzam_platform.classifiers.training.distributed.team import ALONE
from tidzam_platform.errors import TrainingError
from tidzam_platform.operations.ports import free_port

LONG_S = 60.0


def addresses(count: int) -> list[str]:
    return [f"127.0.0.1:{free_port()}" for _ in range(count)]


def together(given: Sequence[Sequence[str]], all_devices: Sequence[int] = (1, 1, 1)) -> list[Future[None]]:
    """Each worker in a thread, with the list and the number of devices that it was given."""
    with ThreadPoolExecutor(len(given)) as threads:
        return [
            threads.submit(wait_for_all, own, index, devices, LONG_S)
            for index, (own, devices) in enumerate(zip(given, all_devices, strict=False))
        ]


def test_all_go_on_when_all_are_there_and_the_port_is_free_again() -> None:
    workers = addresses(3)
    for _ in range(2):
        assert [one.exception() for one in together([workers] * 3)] == [None] * 3


def test_those_that_did_not_come_are_named() -> None:
    workers = addresses(3)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(wait_for_all, workers, index, 1, 1.0) for index in (0, 2)]
    with pytest.raises(TrainingError, match=rf"within 1 s, missing: {workers[1]};"):
        waiting[0].result()
    with pytest.raises(TrainingError, match="not all workers met"):
        waiting[1].result()


def test_without_the_one_that_leads_nobody_waits_for_ever() -> None:
    workers = addresses(2)
    with pytest.raises(TrainingError, match=rf"missing: {workers[0]}"):
        wait_for_all(workers, 1, 1, 0.5)


def test_workers_that_were_given_other_lists_or_devices_are_refused() -> None:
    workers = addresses(2)
    for one in together([workers, [workers[0], "127.0.0.1:9"]]):
        assert isinstance(error := one.exception(), TrainingError)
        assert "worker 1 was given training.workers" in str(error)
    for one in together([workers, workers], [1, 2]):
        assert isinstance(error := one.exception(), TrainingError)
        assert "worker 1 was given training.devices 2, worker 0 was given training.devices 1" in str(error)


def test_strangers_and_workers_that_died_meanwhile_are_not_counted() -> None:
    workers = addresses(3)
    port = int(workers[0].rpartition(":")[2])
    with ThreadPoolExecutor(3) as threads:
        leading = threads.submit(wait_for_all, workers, 0, 1, LONG_S)
        for said in (
            b"GET / HTTP/1.1\r\n\r\n\n",
            b"[]\n",
            b'{"worker": "1"}\n',
            b'{"worker": 7}\n',
            b"\xff\n",
        ):
            with _connected(port) as stranger:
                stranger.sendall(said)
                assert stranger.recv(1) == b""
        dead = threads.submit(wait_for_all, workers, 1, 1, 0.5)
        assert isinstance(dead.exception(), TrainingError)
        assert not leading.done()
        others = [threads.submit(wait_for_all, workers, index, 1, LONG_S) for index in (1, 2)]
        assert [one.exception() for one in (leading, *others)] == [None] * 3


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("", 0)) as taken:
        workers = [f"127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:9"]
        with pytest.raises(TrainingError, match=f"cannot listen at {workers[0]}"):
            wait_for_all(workers, 0, 1, LONG_S)


class Context:
    """What ``HealthWatch`` needs of TensorFlow's context: nobody answers there."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.aborted: list[str] = []

    def check_collective_ops_peer_health(self, task: str, timeout_in_ms: int) -> None:
        from tensorflow import errors

        assert timeout_in_ms > 0
        self.asked.append(task)
        raise errors.UnavailableError(None, None, "no answer")

    def abort_collective_ops(self, _code: int, words: str) -> None:
        self.aborted.append(words)


def test_waiting_for_a_worker_that_does_not_go_on_has_an_end() -> None:
    context = Context()
    watch = HealthWatch(context, {1: "far:1"}, deadline_s=0.05)
    with watch.waiting():
        wait_for(lambda: bool(context.aborted), "waiting ended")
    watch.stop()
    assert context.aborted == ["no answer within 0.05 s"]
    assert not context.asked, "nobody is asked before all have met"


def test_a_worker_that_does_not_answer_ends_the_waiting_of_the_others() -> None:
    context = Context()
    watch = HealthWatch(context, {1: "far:1"}, deadline_s=0.05)
    watch.ask_from_now()
    wait_for(lambda: bool(context.aborted), "waiting ended")
    watch.stop()
    assert context.aborted == ["worker far:1 does not answer"]
    assert context.asked == ["/job:worker/replica:0/task:1"] * 3


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Collective ops is aborted by: worker far:1 does not answer\nmore", "worker 1 (far:1)"),
        (
            "Socket closed\n from remote target /job:worker/replica:0/task:0 while calling",
            "worker 0 (near:1)",
        ),
        ("from remote target /job:worker/replica:0/task:9 while", "another worker"),
        ("no answer within 5 s", "another worker"),
    ],
)
def test_the_lost_worker_is_named_where_tensorflow_says_which(message: str, named: str) -> None:
    from tensorflow import errors

    with pytest.raises(TrainingError) as told, lost_worker_told(["near:1", "far:1"]):
        raise errors.UnavailableError(None, None, message)
    assert str(told.value).startswith(f"{named} of this training is gone")


def test_what_is_no_loss_of_a_worker_comes_out_as_it_is() -> None:
    from tensorflow import errors

    with pytest.raises(errors.ResourceExhaustedError), lost_worker_told(["near:1", "far:1"]):
        raise errors.ResourceExhaustedError(None, None, "out of memory")


def test_one_process_shares_with_itself_and_agrees() -> None:
    ALONE.require_same("x")
    assert ALONE.share(b"abc") == b"abc"
    assert ALONE.share_number(0.1) == 0.1
    assert (ALONE.is_alone, ALONE.leads, list(ALONE.replicas_here)) == (True, True, [0])


def _connected(port: int) -> socket.socket:
    connections: list[socket.socket] = []

    def connect() -> bool:
        try:
            connections.append(socket.create_connection(("127.0.0.1", port), 10))
        except ConnectionRefusedError:
            return False
        return True

    wait_for(connect, "the leading worker listens")
    return connections[-1]
