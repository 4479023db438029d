"""The child that decodes: what comes out of it, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import ByteStream, Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.channel_map import ChannelMap
from streamer.engine.sources.decoder import StreamDecoder
from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.wav_header import read_wav_header
from tests.audio.made import encode, tones
from tidzam_platform.audio.sniffing import OGG, WAV, Container
from tidzam_platform.errors import DecodingError, FetchError, SourceError


class Bytes(ByteStream):
    """Bytes of memory as a stream; then its end, an error, or nothing for ever."""

    is_live = True

    def __init__(
        self,
        data: bytes,
        cancellation: Cancellation,
        *,
        container: Container = OGG,
        then: FetchError | None = None,
        holds: bool = False,
    ) -> None:
        self.container = container
        self._data, self._cancellation, self._then, self._holds = data, cancellation, then, holds
        self.closed = False

    def read(self, max_bytes: int = 1 << 16, deadline_s: float | None = None) -> bytes:  # noqa: ARG002
        data, self._data = self._data[:max_bytes], self._data[max_bytes:]
        if not data and self._holds:
            self._cancellation.sleep_until(time.monotonic() + 60)
        if not data and self._then is not None:
            raise self._then
        return data

    def metadata(self) -> dict[str, str]:
        return {}

    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def opus(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("opus")
    return encode(tones([400, 800, 1600], 2.0), folder / "tones.opus", "opus").read_bytes()


@pytest.fixture
def decoders(cancellation: Cancellation) -> Iterator[Callable[[Bytes], StreamDecoder]]:
    opened: list[StreamDecoder] = []

    def make(stream: Bytes) -> StreamDecoder:
        opened.append(StreamDecoder(stream.input_arguments(), cancellation, stream=stream))
        return opened[-1]

    yield make
    for decoder in opened:
        decoder.close()


def soon() -> float:
    return time.monotonic() + 10


def everything(decoder: StreamDecoder) -> np.ndarray:
    blocks = [np.zeros((0, decoder.channels), np.float32)]
    while (block := decoder.read(soon())) is not None:
        blocks.append(block)
    return np.concatenate(blocks)


def loudest_hz(samples: np.ndarray) -> float:
    return float(
        np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * ENGINE_RATE_HZ / len(samples)
    )


def test_gives_all_channels_at_48_khz(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, opus: bytes
) -> None:
    stream = Bytes(opus, cancellation)
    decoder = decoders(stream)
    assert decoder.read_header(soon()) == 3
    samples = everything(decoder)
    decoder.require_good_end()
    assert stream.closed
    assert samples.dtype == np.float32
    assert abs(len(samples) - 2 * ENGINE_RATE_HZ) < 1000
    assert [round(loudest_hz(channel), -1) for channel in samples.T] == [400, 800, 1600]


def test_another_rate_becomes_48_khz(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, tmp_path: Path
) -> None:
    path = encode(tones([500], 1.0, rate_hz=22050), tmp_path / "tone.wav", "wav", rate_hz=22050)
    decoder = decoders(Bytes(path.read_bytes(), cancellation, container=WAV))
    assert decoder.read_header(soon()) == 1
    samples = everything(decoder)
    assert abs(len(samples) - ENGINE_RATE_HZ) < 100
    assert abs(loudest_hz(samples[:, 0]) - 500) < 2


def test_garbage_is_no_audio_and_says_why(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation
) -> None:
    decoder = decoders(Bytes(b"OggS" + bytes(5000), cancellation))
    with pytest.raises(DecodingError, match=r"ffmpeg failed|before any audio"):
        decoder.read_header(soon())


def test_headers_without_audio_are_told_as_such(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, opus: bytes
) -> None:
    headers_end = [page.start() for page in re.finditer(b"OggS", opus)][2]
    decoder = decoders(Bytes(opus[:headers_end], cancellation))
    with pytest.raises(DecodingError, match="headers only"):
        decoder.read_header(soon())


def test_what_ffmpeg_says_is_one_line_without_places_in_memory(cancellation: Cancellation) -> None:
    with (
        StreamDecoder(("-f", "ogg", "-i", "file:/nowhere/a.ogg"), cancellation) as decoder,
        pytest.raises(DecodingError, match="No such file") as caught,
    ):
        decoder.read_header(soon())
    assert not re.search(r"\n| @ 0x", str(caught.value))


def test_nothing_in_time_is_said(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation
) -> None:
    decoder = decoders(Bytes(b"OggS", cancellation, holds=True))
    with pytest.raises(DecodingError, match="in time"):
        decoder.read_header(time.monotonic() + 0.2)


def test_how_the_stream_broke_is_what_is_raised(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, opus: bytes
) -> None:
    decoder = decoders(Bytes(opus, cancellation, then=FetchError("the line was cut")))
    decoder.read_header(soon())
    assert len(everything(decoder))
    with pytest.raises(FetchError, match="the line was cut"):
        decoder.require_good_end()


def test_a_child_that_is_killed_is_an_error(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, opus: bytes
) -> None:
    decoder = decoders(Bytes(opus, cancellation, holds=True))
    decoder.read_header(soon())
    os.kill(decoder.pid, signal.SIGKILL)
    everything(decoder)
    cancellation_before = cancellation.is_cancelled
    with pytest.raises(DecodingError, match="SIGKILL"):
        decoder.require_good_end()
    assert not cancellation_before


def test_a_wait_ends_at_once_when_it_is_cancelled(
    decoders: Callable[[Bytes], StreamDecoder], cancellation: Cancellation, opus: bytes
) -> None:
    stream = Bytes(opus, cancellation, holds=True)
    decoder = decoders(stream)
    decoder.read_header(soon())
    cancellation.cancel()
    begun_s = time.monotonic()
    with pytest.raises(FetchError, match="cancelled"):
        everything(decoder)
    decoder.close()
    assert time.monotonic() - begun_s < 5
    assert stream.closed


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_not(data: bytes) -> None:
    for head in (data, b"RIFF\xff\xff\xff\xffWAVE" + data):
        try:
            found = read_wav_header(head)
        except DecodingError:
            continue
        assert found is None or (found[0] > 0 and found[1] <= len(head))


class TestChannels:
    block = np.array([[0.1, 0.2, 0.3, 0.4]] * 5, np.float32)

    def of(self, **more: object) -> SourceSpecification:
        return SourceSpecification.parse({"name": "marsh", "url": "http://a.org/"} | more)

    def test_all_by_default(self) -> None:
        channels = ChannelMap(self.of(), 4)
        np.testing.assert_array_equal(channels.apply(self.block), self.block)

    def test_chosen_ones_in_their_order(self) -> None:
        channels = ChannelMap(self.of(channels="channel4,0"), 4)
        np.testing.assert_array_equal(channels.apply(self.block), self.block[:, [3, 0]])
        assert channels.channels == 2

    def test_one_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(SourceError, match=r"4 channels.* no 4"):
            ChannelMap(self.of(channels="0,4"), 4)

    def test_what_was_declared_and_is_not_there_is_silent(self) -> None:
        channels = ChannelMap(self.of(nb_channels=6), 4)
        mapped = channels.apply(self.block)
        assert channels.missing == 2
        np.testing.assert_array_equal(mapped, np.pad(self.block, ((0, 0), (0, 2))))

    def test_what_is_beyond_what_was_declared_is_left_out(self) -> None:
        np.testing.assert_array_equal(
            ChannelMap(self.of(nb_channels=2), 4).apply(self.block), self.block[:, :2]
        )

    def test_nothing_leaves_the_bounds(self) -> None:
        wild = np.array([[np.nan, np.inf, -np.inf, 3.0]], np.float32)
        np.testing.assert_array_equal(ChannelMap(self.of(), 4).apply(wild), [[0, 0, 0, 1]])
