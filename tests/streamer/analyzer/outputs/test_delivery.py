"""The thread of an output: order, back-off, what is put aside, and an end in order."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.analyzer.outputs.delivery import Delivery
from streamer.analyzer.outputs.message_file import MessageFile
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.persistent_queue import PersistentQueue
from streamer.engine.sources.backoff import Backoff
from tests.streamer.analyzer.outputs.made import ids, messages, plug_in, seconds, specification
from tests.support.http_stand_in import Reply, Request
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import WebhookReceiver

Make = Callable[..., Delivery]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[PersistentQueue]:
    made = PersistentQueue(tmp_path / "ops.queue", max_bytes=1 << 20, keep_failed=100)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[MessageFile]:
    """What somebody sees who looks at the queue."""
    made = MessageFile(tmp_path / "ops.queue", max_bytes=1 << 20, keep_failed=100, mends=False)
    yield made
    made.close()


@pytest.fixture
def make(tmp_path: Path, receiver: WebhookReceiver, queue: PersistentQueue) -> Iterator[Make]:
    """A delivery to ``receiver`` that does not wait long."""
    made: list[Delivery] = []

    def delivery(more: str = "", backoff: Backoff | None = None) -> Delivery:
        text = f'name = "ops"\nkind = "webhook"\nurl = "{receiver.url()}"\ndeadline_s = 2\n{more}\n' + (
            "" if "backoff_max_s" in more else "backoff_max_s = 0.05\n"
        )
        one = Delivery(specification(tmp_path, text), plug_in(tmp_path, text), queue, backoff=backoff)
        made.append(one)
        return one

    yield delivery
    for one in made:
        one.stop()


def told(receiver: WebhookReceiver, count: int) -> list[str]:
    wait_for(lambda: len(receiver.messages) >= count, f"{count} messages are told")
    return receiver.ids


def test_what_waits_and_what_comes_is_told_in_order(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    queue.put(messages(3))
    delivery = make()
    delivery.start()
    assert told(receiver, 3) == ids(messages(3))
    queue.put(messages(2, first=3))
    delivery.wake()
    assert told(receiver, 5) == ids(messages(5))
    wait_for(lambda: queue.totals["waiting"] == 0, "nothing waits")
    assert delivery.status() == {"state": "up", "down_since": None, "reason": ""}


def test_while_it_is_down_nothing_is_lost_and_order_holds(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.down()
    delivery = make("batch = 10")
    delivery.start()
    queue.put(messages(30))
    delivery.wake()
    wait_for(lambda: delivery.counts()["failures"] >= 3, "it was tried again")
    assert delivery.is_down
    assert "not reachable" in delivery.status()["reason"]
    assert json.loads(file.notes()["state"])["state"] == "down"
    receiver.up()
    assert told(receiver, 30) == ids(messages(30))
    wait_for(lambda: not delivery.is_down, "it is up again")
    assert json.loads(file.notes()["state"])["state"] == "up"


def test_what_is_refused_is_put_aside_and_the_others_are_told(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    bad = ids(messages(20))[7]
    take = receiver.answer

    def answer(request: Request) -> Reply:
        return Reply(422) if bad.encode() in request.body else take(request)

    receiver.answer = answer  # type: ignore[method-assign]
    queue.put(messages(20))
    make("batch = 5").start()
    expected = [one for one in ids(messages(20)) if one != bad]
    assert told(receiver, 19) == expected
    wait_for(lambda: queue.totals["waiting"] == 0, "nothing waits")
    (failed,) = file.failed(10)
    assert (failed.id, "422" in failed.reason) == (bad, True)


def test_what_it_fails_at_again_and_again_is_put_aside(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.mishaps += [Reply(500)] * 3
    queue.put(messages(3))
    make("max_attempts = 3").start()
    assert told(receiver, 2) == ids(messages(2, first=1))
    assert [(one.id, one.reason.endswith("(3 times)")) for one in file.failed(10)] == [
        (messages(1)[0].id, True)
    ]


def test_a_server_that_is_down_for_long_is_no_reason_to_put_anything_aside(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.mishaps += [Reply(503), Reply(502), Reply(401), "cut before"] * 5
    queue.put(messages(2))
    make("max_attempts = 3").start()
    assert told(receiver, 2) == ids(messages(2))
    assert file.failed_count() == 0


def test_a_fault_of_ours_at_one_message_does_not_keep_the_others(
    make: Make,
    receiver: WebhookReceiver,
    queue: PersistentQueue,
    file: MessageFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery = make("max_attempts = 2")
    output: Any = delivery._output
    real = output.deliver

    def deliver(some: Any) -> int:
        if some[0].id == messages(1)[0].id:
            raise KeyError("a mistake")
        return int(real(some))

    monkeypatch.setattr(output, "deliver", deliver)
    queue.put(messages(2))
    delivery.start()
    assert told(receiver, 1) == ids(messages(1, first=1))
    assert [one.id for one in file.failed(10)] == ids(messages(1))


def test_waits_grow_and_begin_anew_after_a_success(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    class Noted(Backoff):
        ranges: list[float] = []  # noqa: RUF012 - of this test

        def wait_s(self) -> float:
            self.ranges.append(self.range_s)
            super().wait_s()
            return 0.0

    backoff = Noted(8.0, base_s=0.5, chance=random.Random(1))  # noqa: S311 - any will do
    receiver.mishaps += [Reply(503)] * 6
    queue.put(messages(1))
    delivery = make(backoff=backoff)
    delivery.start()
    told(receiver, 1)
    wait_for(lambda: not delivery.is_down, "it is up again")
    receiver.mishaps.append(Reply(503))
    queue.put(messages(1, first=1))
    delivery.wake()
    told(receiver, 2)
    assert backoff.ranges == [0.5, 1, 2, 4, 8, 8, 0.5]


def test_a_time_to_come_again_is_heeded_within_the_longest_wait(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.mishaps.append(Reply(503, headers={"Retry-After": "3600"}))
    queue.put(messages(1))
    delivery = make("backoff_max_s = 0.4", backoff=Backoff(0.001))
    begin_s = time.monotonic()
    delivery.start()
    told(receiver, 1)
    assert time.monotonic() - begin_s >= 0.4
    assert delivery.counts()["failures"] == 1


def test_what_somebody_lets_wait_again_is_noticed_without_a_word(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.mishaps.append(Reply(400))
    queue.put(messages(1))
    make().start()
    wait_for(lambda: file.failed_count() == 1, "it is put aside")
    assert file.retry() == 1
    assert told(receiver, 1) == ids(messages(1))


def test_it_ends_soon_whatever_it_does(
    make: Make, receiver: WebhookReceiver, queue: PersistentQueue, file: MessageFile
) -> None:
    receiver.mishaps.append("hang")
    queue.put(messages(2))
    delivery = make(backoff=Backoff(60.0, base_s=60.0))
    delivery.start()
    wait_for(lambda: len(receiver.requests) == 1, "it waits for an answer")
    assert seconds(delivery.stop) < 6
    assert queue.totals["waiting"] == 2
    assert json.loads(file.notes()["state"])["state"] == "stopped"


def test_a_delivery_that_was_never_started_ends(make: Make) -> None:
    assert seconds(make().stop) < 1


def test_plug_ins_close_what_they_hold(tmp_path: Path, receiver: WebhookReceiver) -> None:
    output: Output = plug_in(tmp_path, f'name = "ops"\nkind = "webhook"\nurl = "{receiver.url()}"')
    output.close()
    output.close()
