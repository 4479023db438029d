"""Live streams: ports that are given out, samples that are pushed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.graph import ClockGraph
from streamer.engine.rings import ENGINE_RATE_HZ, RingFolder, SourceReader
from streamer.engine.sources.context import SharedCatalog, SourceContext
from streamer.engine.sources.live import LiveStream
from streamer.engine.sources.live_ports import LiveStreams
from streamer.engine.sources.pushed_audio import MAX_WAITING_S, PushQueue, read_pcm16
from streamer.engine.sources.start_slots import StartSlots
from tests.support.waiting import wait_for
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings


def tone(hz: float, seconds: float, rate_hz: int) -> bytes:
    """PCM16 of a sine at half of full scale."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * 32767 * np.sin(2 * np.pi * hz * time_s)).astype("<i2").tobytes()


@pytest.fixture
def pool(
    ring_folder: RingFolder, graph: ClockGraph, settings: Settings
) -> Iterator[Callable[..., LiveStreams]]:
    made: list[LiveStreams] = []

    def make(size: int = 2, **more: Callable[[LiveStream], None]) -> LiveStreams:
        few = settings.model_copy(
            update={"sources": settings.sources.model_copy(update={"max_live_streams": size})}
        )
        catalog = SharedCatalog(few.catalog_url)
        context = SourceContext(few, graph, ring_folder, StartSlots(1), catalog)
        made.append(LiveStreams(context, **more))
        return made[-1]

    yield make
    for streams in made:
        streams.close()


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000, 96_000])
def test_what_is_pushed_at_any_rate_is_heard_at_48_khz(
    pool: Callable[..., LiveStreams], rate_hz: int
) -> None:
    stream = pool().open("web-1/a")
    assert stream.info.port == "tidzam-livestreams:out_1"
    reader = SourceReader(stream.ring, first_frame=0)
    pcm = tone(1000, 1.5, rate_hz)
    step = len(pcm) // 15 // 2 * 2
    for begin in range(0, len(pcm), step):
        stream.push(pcm[begin : begin + step], rate_hz)
    wait_for(lambda: stream.ring.written_frames > 1.3 * ENGINE_RATE_HZ, "its samples are in the ring")
    wait_for(lambda: stream.ring.played_frames > 0.2 * ENGINE_RATE_HZ, "they are played")
    heard = reader.read(1 << 20).data[4800:48_000, 0]
    assert abs(np.abs(np.fft.rfft(heard)).argmax() * ENGINE_RATE_HZ / len(heard) - 1000) < 3
    assert 0.45 < np.abs(heard).max() < 0.55
    assert abs((stream.ring.utc_ns_of(0) or 0) / 1e9 - time.time()) < 10


def test_every_stream_has_a_port_of_its_own_and_gives_it_back(
    pool: Callable[..., LiveStreams], graph: ClockGraph
) -> None:
    streams = pool(2)
    one, two = streams.open("web-1/a"), streams.open("web-1/b", storage=True)
    assert {one.info.number, two.info.number} == {1, 2}
    assert two.info.storage
    assert streams.of_owner("web-1/b") is two
    with pytest.raises(SourceError, match="all 2 ports"):
        streams.open("web-1/c")
    assert streams.close_owned("web-1/a") == [one.info.port]
    assert one.info.port not in graph.ports()
    with pytest.raises(SourceError, match="ended"):
        one.push(tone(1000, 0.1, 48_000), 48_000)
    with pytest.raises(SourceError, match="no live stream"):
        streams.of_owner("web-1/a")
    assert streams.open("web-2/c").info.number == 1
    assert len(streams.status()) == 2
    assert streams.close_owned("web-1/", is_prefix=True) == [two.info.port]
    assert [status["owner"] for status in streams.status()] == ["web-2/c"]


def test_others_are_told_before_the_first_sample_and_before_the_ring_goes(
    pool: Callable[..., LiveStreams],
) -> None:
    told: list[tuple[str, int]] = []
    streams = pool(
        on_opened=lambda stream: told.append(("opened", stream.ring.written_frames)),
        on_closed=lambda stream: told.append(("closed", stream.ring.written_frames)),
    )
    stream = streams.open("a")
    stream.push(tone(1000, 1, 48_000), 48_000)
    wait_for(lambda: stream.ring.written_frames > 20_000, "its samples")
    streams.close_stream(1)
    assert told[0] == ("opened", 0)
    assert told[1][0] == "closed"
    assert told[1][1] > 20_000


def test_a_stream_whose_recorder_takes_long_holds_up_no_other(pool: Callable[..., LiveStreams]) -> None:
    closing, go_on = threading.Event(), threading.Event()

    def record_to_the_end(stream: LiveStream) -> None:
        if stream.info.owner == "a":
            closing.set()
            go_on.wait(10)

    streams = pool(2, on_closed=record_to_the_end)
    slow, other = streams.open("a"), streams.open("b")
    with ThreadPoolExecutor(1) as threads:
        closed = threads.submit(streams.close_owned, "a")
        try:
            assert closing.wait(20)
            assert [status["owner"] for status in streams.status()] == ["b"]
            assert streams.of_owner("b") is other
            with pytest.raises(SourceError, match="no live stream"):
                streams.of_owner("a")
            with pytest.raises(SourceError, match="all 2 ports"):
                streams.open("c")  # the port of the slow one is not free before its ring is gone
            streams.close_owned("b")
            assert streams.open("c").info.number == other.info.number
            assert not closed.done(), "all of that was done meanwhile"
        finally:
            go_on.set()
        assert closed.result(20) == [slow.info.port]
    assert streams.open("d").info.number == slow.info.number


def test_a_stream_that_takes_long_to_open_holds_up_no_other(pool: Callable[..., LiveStreams]) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def take_long(stream: LiveStream) -> None:
        if stream.info.owner == "a":
            opening.set()
            go_on.wait(10)

    streams = pool(2, on_opened=take_long)
    with ThreadPoolExecutor(1) as threads:
        opened = threads.submit(streams.open, "a")
        try:
            assert opening.wait(20)
            other = streams.open("b")
            assert [status["owner"] for status in streams.status()] == ["b"]
            assert not opened.done()
        finally:
            go_on.set()
        assert opened.result(20).info.number != other.info.number


@given(st.binary(max_size=100), st.integers(-10, 400_000), st.integers(1, 4))
def test_any_bytes_are_samples_or_are_refused(pcm: bytes, rate_hz: int, channels: int) -> None:
    try:
        pushed = read_pcm16(pcm, rate_hz, channels)
    except SourceError:
        return
    assert pushed.block.shape == (len(pcm) // 2 // channels, channels)
    assert np.abs(pushed.block).max() <= 1


@given(st.lists(st.floats(0.01, 3), max_size=30))
def test_the_queue_is_bounded_and_counts_what_it_drops(lengths_s: list[float]) -> None:
    queue = PushQueue()
    for seconds in lengths_s:
        queue.push(bytes(2 * round(seconds * 8000)), 8000)
    taken = 0
    while (pushed := queue.take(0)) is not None:
        taken += len(pushed.block)
    assert taken <= MAX_WAITING_S * 8000
    assert taken + queue.dropped_frames == queue.pushed_frames
