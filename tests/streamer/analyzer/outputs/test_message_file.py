"""Messages on disk: order, bounds, what is known already, what was refused, crashes and damage."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.analyzer.alerts import ChannelState, Condition
from streamer.analyzer.outputs.message import message_of
from streamer.analyzer.outputs.message_file import MessageFile
from tests.streamer.analyzer.outputs.made import NOON, ids, message, messages
from tidzam_platform.errors import OutputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "outputs" / "ops.queue"


@contextmanager
def opened(file: Path, **more: Any) -> Iterator[MessageFile]:
    queue = MessageFile(file, **{"max_bytes": 1 << 20, "keep_failed": 100} | more)
    try:
        yield queue
    finally:
        queue.close()


def waiting(queue: MessageFile) -> list[str]:
    return ids(one.message for one in queue.first(10_000))


def test_messages_wait_in_order_until_they_are_told(file: Path) -> None:
    told = messages(5)
    with opened(file) as queue:
        queue.put(told[:3])
        queue.put(told[3:])
        assert [one.message for one in queue.first(2)] == told[:2]
        queue.done(ids(told[:2]), delivered=2)
        assert waiting(queue) == ids(told[2:])
        assert (queue.totals["waiting"], queue.totals["delivered"]) == (3, 2)
    with opened(file) as queue:
        assert [one.message for one in queue.first(10)] == told[2:]
        assert (queue.totals["waiting"], queue.totals["delivered"]) == (3, 2)


def test_only_its_owner_may_read_it(file: Path) -> None:
    with opened(file) as queue:
        queue.put(messages(3))
        for one in file.parent.iterdir():
            assert stat.S_IMODE(one.stat().st_mode) == 0o600, one
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_message_that_waits_was_told_or_was_refused_is_not_taken_again(file: Path) -> None:
    with opened(file) as queue:
        queue.put(messages(3))
        first, second, _ = messages(3)
        queue.done([first.id], delivered=1)
        queue.refused(second, "no")
        queue.put(messages(4))
        assert waiting(queue) == ids(messages(2, first=2))
        assert queue.totals["repeated"] == 3


def test_the_oldest_are_dropped_for_newer_ones_and_counted(file: Path) -> None:
    told = messages(100)
    one_bytes = len(told[0].as_json().encode()) + 200
    with opened(file, max_bytes=10 * one_bytes) as queue:
        queue.put(told)
        assert waiting(queue) == ids(told[-10:])
        assert (queue.totals["dropped"], queue.totals["waiting"]) == (90, 10)
        assert queue.totals["bytes"] == 10 * one_bytes


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "told", "refused", "retry"]), st.integers(0, 12)), max_size=25
    )
)
def test_whatever_happens_the_totals_are_those_of_what_waits(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    file = tmp_path_factory.mktemp("queue") / "ops.queue"
    size = len(message().as_json().encode()) + 200
    expected: list[str] = []
    failed: list[str] = []
    done: set[str] = set()
    with opened(file, max_bytes=6 * size) as queue:
        for step, number in steps:
            if step == "put":
                identity = message(number).id
                queue.put([message(number)])
                if identity not in (*expected, *failed, *done):
                    expected = [*expected, identity][-6:]
            elif step == "retry":
                assert queue.retry() == len(failed)
                expected, failed = [*expected, *failed][-6:], []
            elif expected:
                (first,) = queue.first(1)
                identity = expected.pop(0)
                if step == "told":
                    queue.done([first.message.id], delivered=1)
                    done.add(identity)
                else:
                    queue.refused(first.message, "no")
                    failed.append(identity)
            assert waiting(queue) == expected
            assert queue.totals["waiting"] == len(expected)
            assert queue.totals["bytes"] == size * len(expected)
            assert [one.id for one in reversed(queue.failed(100))] == failed


def test_a_newer_state_takes_the_place_of_one_that_waits(file: Path) -> None:
    states = [
        message_of(ChannelState(channel, condition, NOON), NOON)
        for condition in (Condition.HEARING, Condition.AWAY)
        for channel in ("marsh:out_1", "marsh:out_2")
    ]
    with opened(file) as queue:
        queue.put(states)
        assert [one.message for one in queue.first(10)] == states[2:]
        assert queue.totals["replaced"] == 2


def test_what_was_refused_is_kept_with_its_reason_and_told_again_when_somebody_says_so(file: Path) -> None:
    told = messages(5)
    with opened(file, keep_failed=3) as queue:
        queue.put(told)
        for one in told:
            queue.refused(one, f"no {one.id[-1]}")
        kept = queue.failed(10)
        assert [one.id for one in kept] == ids(reversed(told[2:]))
        assert kept[0].reason == "no 4"
        assert kept[0].content == dict(told[4].content)
        assert kept[0].failed_at.endswith("Z")
        assert queue.retry(told[3].id) == 1
        assert queue.retry("nothing") == 0
        assert waiting(queue) == [told[3].id]
        assert queue.retry() == 2
        assert waiting(queue) == ids([told[3], told[2], told[4]])
        assert queue.failed_count() == 0


def test_attempts_are_counted_over_restarts(file: Path) -> None:
    with opened(file) as queue:
        queue.put(messages(1))
        queue.attempted(message().id)
    with opened(file) as queue:
        queue.attempted(message().id)
        assert queue.first(1)[0].attempts == 2


def test_two_processes_may_use_it(file: Path) -> None:
    with opened(file) as analyzer, opened(file, mends=False) as command:
        analyzer.put(messages(2))
        analyzer.refused(message(0), "no")
        assert command.failed_count() == 1
        assert command.retry() == 1
        assert len(analyzer.first(10)) == 2
        analyzer.note("state", "up")
        assert command.notes() == {"state": "up"}


def test_kill_minus_nine_loses_nothing_that_was_put(file: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from streamer.analyzer.outputs.message_file import MessageFile
        from tests.streamer.analyzer.outputs.made import message
        queue = MessageFile(Path(sys.argv[1]), max_bytes=1 << 24, keep_failed=10)
        for number in range(100_000):
            queue.put([message(number)])
            print(number, flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as said:
        for line in said:
            if line.strip() == "200":
                os.kill(child.pid, signal.SIGKILL)
                break
        rest = said.read().split()
    child.wait(30)
    last = int(rest[-1]) if rest else 200
    with opened(file, max_bytes=1 << 24) as queue:
        found = waiting(queue)
        assert queue.put_aside is None
    assert found[: last + 1] == ids(messages(last + 1))
    assert len(found) <= last + 2


def test_a_damaged_file_is_put_aside(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(OutputError, match="not a database"), opened(file, mends=False):
        pass
    with opened(file) as queue:
        assert queue.put_aside is not None
        assert queue.put_aside.read_bytes().startswith(b"this is no database")
        queue.put(messages(1))
        assert len(queue.first(10)) == 1


def test_a_file_of_another_version_is_left_alone(file: Path) -> None:
    with opened(file):
        pass
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(OutputError, match="another version"), opened(file):
        pass
    assert [one.name for one in file.parent.iterdir() if "damaged" in one.name] == []
