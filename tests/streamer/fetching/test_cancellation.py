"""Every wait of a fetch ends at once when another thread cancels it."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

import pytest

from streamer.engine.fetching import ByteStream, Cancellation, open_stream
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Healthy, HlsLive, SlowHeaders, Stall
from tests.support.waiting import wait_for
from tidzam_platform.errors import FetchError
from tidzam_platform.settings import SourcesSettings

PATIENT = SourcesSettings(private_addresses=True, connect_s=60.0, no_samples_s=30.0)
AT_ONCE_S = 5.0  # far below every deadline, with room for a machine that is busy


def read_to_end(stream: ByteStream) -> None:
    while stream.read():
        pass


def _ends_at_once(cancel: Cancellation, waits: Callable[[], object], is_waiting: Callable[[], bool]) -> None:
    """Run ``waits`` in a thread, cancel it there, and see that it ends as cancelled."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            waits()
        except FetchError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(is_waiting, "it waits")
    begin_s = time.monotonic()
    cancel.cancel()
    thread.join(AT_ONCE_S)
    assert not thread.is_alive()
    assert time.monotonic() - begin_s < AT_ONCE_S
    assert [str(error) for error in failures] == ["the fetch was cancelled"]


def test_a_request_without_an_answer(server: FaultyStreamServer, cancellation: Cancellation) -> None:
    server.behave("/", Stall())
    _ends_at_once(
        cancellation,
        lambda: open_stream(server.url("/"), PATIENT, cancel=cancellation),
        lambda: len(server.requests()) == 1,
    )


def test_headers_that_dribble(server: FaultyStreamServer, cancellation: Cancellation) -> None:
    server.behave("/", SlowHeaders())
    _ends_at_once(
        cancellation,
        lambda: open_stream(server.url("/"), PATIENT, cancel=cancellation),
        lambda: len(server.requests()) == 1,
    )


def test_a_read_of_a_stream_that_stalls(
    server: FaultyStreamServer, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/", Healthy(endless))
    read_bytes = 0

    def read_on() -> None:
        nonlocal read_bytes
        while True:
            read_bytes += len(stream.read())

    with open_stream(server.url("/"), PATIENT, cancel=cancellation) as stream:
        server.behave("/", Stall())
        _ends_at_once(cancellation, read_on, lambda: read_bytes > 0)


def test_a_fetch_that_is_never_short_of_bytes(
    server: FaultyStreamServer, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/", Healthy(endless, real_time=False))
    with open_stream(server.url("/"), PATIENT, cancel=cancellation) as stream:
        stream.read()
        cancellation.cancel()
        with pytest.raises(FetchError, match="cancelled"):
            read_to_end(stream)


def test_a_live_playlist_that_gets_no_new_segment(
    server: FaultyStreamServer, cancellation: Cancellation, audio_bytes: Callable[[str], bytes]
) -> None:
    server.behave("/hls/", HlsLive([audio_bytes("adts")], 0.1, window=1, real_time=False))

    with open_stream(server.url("/hls/live.m3u8"), PATIENT, cancel=cancellation) as stream:
        _ends_at_once(
            cancellation, lambda: read_to_end(stream), lambda: len(server.requests("/hls/live.m3u8")) > 1
        )


def test_a_name_server_that_does_not_answer(cancellation: Cancellation) -> None:
    asked, answer = threading.Event(), threading.Event()

    def resolver(_host: str) -> list[str]:
        asked.set()
        answer.wait(60)
        return []

    try:
        _ends_at_once(
            cancellation,
            lambda: open_stream("http://radio.example/", PATIENT, cancel=cancellation, resolver=resolver),
            asked.is_set,
        )
    finally:
        answer.set()


def test_once_cancelled_nothing_begins(server: FaultyStreamServer, cancellation: Cancellation) -> None:
    cancellation.cancel()
    with pytest.raises(FetchError, match="cancelled"):
        open_stream(server.url("/"), PATIENT, cancel=cancellation)
    assert server.connections == 0


def test_a_child_is_cancelled_with_its_parent_and_also_alone() -> None:
    with Cancellation() as parent, parent.child() as first, parent.child() as second:
        first.cancel()
        assert [made.is_cancelled for made in (parent, first, second)] == [False, True, False]
        parent.cancel()
        with parent.child() as late:
            assert [made.is_cancelled for made in (parent, first, second, late)] == [True] * 4


def test_subscribers_are_told_once_and_not_after_they_left() -> None:
    told = []
    with Cancellation() as cancellation:
        cancellation.subscribe(lambda: told.append("stays"))
        leave = cancellation.subscribe(lambda: told.append("left"))
        leave()
        leave()
        cancellation.cancel()
        cancellation.cancel()
        cancellation.subscribe(lambda: told.append("late"))
    assert told == ["stays", "late"]


def test_descriptors_are_freed() -> None:
    def open_descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = open_descriptors()
    for _ in range(20):
        with Cancellation() as parent, parent.child() as child, contextlib.suppress(FetchError):
            child.sleep_until(time.monotonic())
            child.wait_for(child.fileno(), select.POLLIN, time.monotonic())
            parent.cancel()
    assert len(open_descriptors()) <= len(before) + 1, "one is that of the listing itself"
