"""What is bounded: rates, queues, packets, sessions, connections."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import socketio.exceptions
from engineio.packet import MESSAGE, Packet
from hypothesis import given
from hypothesis import strategies as st

from streamer.web.rates import TokenBucket
from streamer.web.sockets.echo import echo
from streamer.web.sockets.outgoing import MAX_BYTES, MAX_PACKETS, OutgoingQueue
from streamer.web.sockets.packets import MAX_ATTACHMENTS, StrictPacket
from tests.streamer.web.raw_socket import handshaken, requested
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for


class Clock:
    """Seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@given(st.lists(st.floats(0, 5), min_size=1, max_size=50), st.floats(0.1, 100), st.floats(1, 50))
def test_a_bucket_never_lets_more_through_than_its_rate(
    pauses: list[float], rate_per_s: float, burst: float
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate_per_s, burst, clock)
    passed = 0
    for pause in pauses:
        clock.s += pause
        passed += bucket.take()
    assert passed <= burst + rate_per_s * sum(pauses) + 1e-6
    clock.s += 1.001 / rate_per_s  # floats are no exact seconds
    assert bucket.take()


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=50), st.floats(0.1, 100), st.floats(1, 50))
def test_who_waits_as_long_as_it_is_told_keeps_to_the_rate(
    amounts: list[float], rate_per_s: float, burst: float
) -> None:
    clock = Clock()
    bucket = TokenBucket(rate_per_s, burst, clock)
    for amount in amounts:
        clock.s += bucket.delay_s(amount)
    assert sum(amounts) <= burst + rate_per_s * (clock.s - 100.0) + 1e-6 * sum(amounts) + 1e-6


def test_a_queue_that_is_full_ends_its_client_and_never_blocks() -> None:
    overflows: list[int] = []
    waiting = OutgoingQueue(lambda: overflows.append(1))
    for _ in range(MAX_PACKETS):
        waiting.put(Packet(MESSAGE, "x"))
    assert overflows == []
    waiting.put(Packet(MESSAGE, "one more"))
    assert (waiting.get_nowait(), waiting.qsize(), overflows) == (None, 0, [1])
    waiting.task_done()
    waiting.join()
    waiting.put(Packet(MESSAGE, "x" * (MAX_BYTES // 2)))
    waiting.get_nowait()
    for _ in range(2):
        waiting.put(Packet(MESSAGE, b"x" * (MAX_BYTES // 2)))
    assert overflows == [1]
    waiting.put(Packet(MESSAGE, "x"))
    assert (waiting.get_nowait(), overflows) == (None, [1, 1])


@given(st.lists(st.none() | st.integers(0, MAX_BYTES // 100), max_size=300))
def test_a_queue_keeps_what_fits_in_order(sizes: list[int | None]) -> None:
    kept: list[Packet | None] = []
    waiting = OutgoingQueue(kept.clear)
    for size in sizes:
        item = None if size is None else Packet(MESSAGE, "x" * size)
        waiting.put(item)
        kept.append(item)
        if waiting.qsize() == 1 and len(kept) != 1:  # it was emptied
            kept[:] = [None]
    assert [waiting.get_nowait() for _ in range(waiting.qsize())] == kept
    assert waiting._bytes == 0


@given(st.text() | st.text('0123456789-[]{}"/,{}sy', max_size=30) | st.binary(min_size=1))
def test_a_packet_is_well_formed_or_refused(data: str | bytes) -> None:
    if not data:
        return
    try:
        packet = StrictPacket(encoded_packet=data)
    except (ValueError, RecursionError):
        return
    assert packet.attachment_count <= MAX_ATTACHMENTS
    if packet.packet_type in (2, 5):
        assert isinstance(packet.data[0], str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=30,
    )
)
def test_a_request_is_repeated_in_json(value: Any) -> None:
    json.dumps(echo(value), allow_nan=False)


def test_requests_come_back_as_they_were() -> None:
    request = {"sys": {"loadsource": {"name": "m", "channels": [0, 3], "is_permanent": True, "url": None}}}
    assert echo(request) == request
    assert len(json.dumps(echo({"a": "x" * 10**6, "b": list(range(10**5))}))) < 5000


def test_requests_that_come_too_fast_are_refused_and_later_ones_not(
    web: WebProcess, client: SocketClient, engine: FakeEngine
) -> None:
    for _ in range(60):
        client.say({"sys": {"database": ""}})
    wait_for(lambda: len(client.told) == 60, "all are answered")
    refused = [told["error"] for told in client.told if "error" in told]
    assert len(refused) >= 10
    assert "too many" in refused[0]
    assert len([command for command, _ in engine.asked if command == "database"]) == 60 - len(refused)
    wait_for(lambda: "sys" in client.call("sys", {"sys": {"database": ""}}), "it may ask again")


def test_sessions_are_bounded_also_those_that_hold_no_connection(own_home: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home, max_connections=12) as web:
        path = "/socket.io/?EIO=4&transport=polling"
        statuses = [web.request("GET", path).status for _ in range(14)]
        assert statuses == [200] * 12 + [401] * 2
        with pytest.raises(socketio.exceptions.ConnectionError), SocketClient(web):
            pass
        assert web.request("GET", "/healthz").status == 200


def test_websockets_leave_connections_to_everybody_else(own_home: Path) -> None:
    with (
        FakeEngine(own_home),
        WebProcess(own_home, max_connections=12) as web,
        contextlib.ExitStack() as opened,
    ):
        for _ in range(6):  # of 12, 8 less what waitress uses itself are for others
            opened.enter_context(handshaken(web)).connect_namespace()
        with requested(web) as (status, _):
            assert status == 503
        assert web.request("GET", "/healthz").status == 200
        opened.close()

        def is_free() -> bool:
            with requested(web) as (status, _):
                return status == 101

        wait_for(is_free, "one may come again")
