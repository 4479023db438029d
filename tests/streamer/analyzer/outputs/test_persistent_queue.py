"""The queue of an output when the disk takes nothing: what comes is told from memory, and nothing is told twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.analyzer.alerts import ChannelState, Condition
from streamer.analyzer.outputs import persistent_queue
from streamer.analyzer.outputs.message import Message, message_of
from streamer.analyzer.outputs.persistent_queue import PersistentQueue
from tests.streamer.analyzer.outputs.disks import full_disk, slow_disk, small_disk
from tests.streamer.analyzer.outputs.made import NOON, ids, messages


@contextmanager
def opened(folder: Path) -> Iterator[PersistentQueue]:
    queue = PersistentQueue(folder / "ops.queue", max_bytes=1 << 24, keep_failed=10)
    try:
        yield queue
    finally:
        queue.close()


def tell(queue: PersistentQueue, limit: int) -> list[str]:
    """As the delivery's thread does; returns the ids of what was told."""
    told = queue.first(limit)
    queue.delivered(told)
    return ids(one.message for one in told)


def tell_all(queue: PersistentQueue) -> list[str]:
    told: list[str] = []
    while more := tell(queue, 7):
        told += more
    return told


def test_on_a_full_disk_what_waits_and_what_comes_is_told_once_and_in_order(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with opened(disk) as queue:
            queue.put(messages(20))
            with full_disk(disk):
                queue.put(messages(2000, first=20))
                assert "full" in queue.refusal
                assert queue.totals["waiting"] == 2020
                assert tell(queue, 50) == ids(messages(50))
                assert tell_all(queue) == ids(messages(1970, first=50))
                assert (queue.totals["waiting"], queue.totals["delivered"]) == (0, 2020)
                queue.put(messages(5, first=2020))
            assert tell(queue, 3) == ids(messages(3, first=2020))
            queue.store()
            assert queue.refusal == ""
            assert (queue.totals["delivered"], queue.lost) == (2023, 0)
            queue.put(messages(2025))  # heard again
            assert queue.totals["waiting"] == 2
        with opened(disk) as queue:  # after a restart
            assert tell_all(queue) == ids(messages(2, first=2023))


def test_without_any_disk_it_works_from_memory(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.write_text("a file where the folder belongs")
    with opened(folder) as queue:
        queue.put(messages(10))
        assert tell(queue, 4) == ids(messages(4))
        assert "cannot be used" in queue.refusal
        folder.unlink()
        assert tell_all(queue) == ids(messages(6, first=4))
        queue.put(messages(11))
        assert tell_all(queue) == ids(messages(1, first=10))


def test_what_memory_has_no_room_for_goes_oldest_first_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent_queue, "MAX_HELD", 100)
    folder = tmp_path / "spool"
    folder.write_text("a file where the folder belongs")
    with opened(folder) as queue:
        for one in messages(150):
            queue.put([one])
        assert (queue.lost, queue.totals["dropped"], queue.totals["waiting"]) == (50, 50, 100)
        assert tell_all(queue) == ids(messages(100, first=50))
        queue.put(messages(3, first=150))
    assert queue.lost == 53  # there was never a disk


def test_a_newer_state_takes_the_place_of_an_older_one_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.write_text("a file where the folder belongs")
    told: list[Message] = [
        message_of(ChannelState("marsh:out_1", condition, NOON), NOON) for condition in Condition
    ]
    with opened(folder) as queue:
        for one in told:
            queue.put([one])
        assert tell_all(queue) == ids(told[-1:])


def test_attempts_count_and_what_is_refused_goes_whatever_the_disk_does(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.write_text("a file where the folder belongs")
    with opened(folder) as queue:
        queue.put(messages(2))
        for attempt in (1, 2, 3):
            assert queue.attempted(queue.first(1)[0]) == attempt
        queue.refused(queue.first(1)[0], "no")
        assert queue.lost == 1
        assert tell_all(queue) == ids(messages(1, first=1))


def test_telling_goes_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    with opened(tmp_path) as queue:
        queue.put(messages(5))
        with slow_disk(tmp_path / "ops.queue"):
            assert ids(one.message for one in queue.first(10)) == ids(messages(5))  # reading waits for nobody
        assert tell_all(queue) == ids(messages(5))
