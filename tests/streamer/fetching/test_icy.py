"""Titles within a stream are taken out of it, wherever they lie."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation, open_stream
from streamer.engine.fetching.http_heads import ResponseHead
from streamer.engine.fetching.icy import WithoutMetadata, header_metadata, interval_bytes, parse_block
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Healthy
from tidzam_platform.errors import FetchError
from tidzam_platform.settings import SourcesSettings


class Pieces:
    """A body that comes in pieces of any size."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = sizes or [1]
        self._reads = 0

    def read(self, max_bytes: int, deadline_s: float) -> bytes:  # noqa: ARG002
        size = min(max_bytes, self._sizes[self._reads % len(self._sizes)])
        self._reads += 1
        piece, self._data = self._data[:size], self._data[size:]
        return piece


def block(text: bytes) -> bytes:
    units = math.ceil(len(text) / 16)
    return bytes([units]) + text.ljust(16 * units, b"\0")


def read_all(body: WithoutMetadata, max_bytes: int = 50) -> bytes:
    whole = b""
    while data := body.read(max_bytes, 0.0):
        whole += data
    return whole


@given(
    audio=st.binary(max_size=300),
    interval=st.integers(1, 60),
    titles=st.lists(st.text(alphabet="abc' äß;=", max_size=30), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 40), max_size=5),
)
def test_audio_comes_out_whole_and_titles_in_their_order(
    audio: bytes, interval: int, titles: list[str], sizes: list[int]
) -> None:
    sent, said = b"", []
    for number, begin in enumerate(range(0, len(audio), interval)):
        part = audio[begin : begin + interval]
        sent += part
        if len(part) == interval:
            title = titles[number % len(titles)]
            sent += block(f"StreamTitle='{title}';".encode())
            said.append(title)
    body = WithoutMetadata(Pieces(sent, sizes), interval)
    assert read_all(body) == audio
    assert body.blocks == len(said)


@given(st.binary(max_size=400), st.integers(1, 50), st.lists(st.integers(1, 40), max_size=5))
def test_any_bytes_are_taken_apart_without_failing(data: bytes, interval: int, sizes: list[int]) -> None:
    body = WithoutMetadata(Pieces(data, sizes), interval)
    assert len(read_all(body)) <= len(data)
    assert body.title.isprintable() or " " in body.title


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"StreamTitle='A - B';StreamUrl='http://x/';", {"StreamTitle": "A - B", "StreamUrl": "http://x/"}),
        (b"StreamTitle='It's alright';", {"StreamTitle": "It's alright"}),
        (b"StreamTitle='';", {"StreamTitle": ""}),
        (b"StreamTitle='no end'", {"StreamTitle": "no end"}),
        ("StreamTitle='Käuzchen';".encode(), {"StreamTitle": "Käuzchen"}),
        ("StreamTitle='Käuzchen';".encode("latin-1"), {"StreamTitle": "Käuzchen"}),
        (b"StreamTitle='a\r\nb\x1b[31m\0c';\0\0\0", {"StreamTitle": "a b [31m c"}),
        (b"nothing", {}),
        (b"", {}),
    ],
)
def test_fields_of_a_block(data: bytes, fields: dict[str, str]) -> None:
    assert parse_block(data) == fields


@given(st.binary(max_size=4080))
def test_any_block_gives_clean_short_text(data: bytes) -> None:
    for value in parse_block(data).values():
        assert len(value) <= 500
        assert not any(ord(letter) < 32 for letter in value)


def _head(*headers: tuple[str, str]) -> ResponseHead:
    return ResponseHead(200, "OK", headers)


def test_the_interval_is_a_number_or_a_failure() -> None:
    assert interval_bytes(_head()) is None
    assert interval_bytes(_head(("icy-metaint", "0"))) is None
    assert interval_bytes(_head(("icy-metaint", " 16000"))) == 16000
    for nonsense in ("", "x", "-1", "1e3", "99999999999", str((1 << 24) + 1), "１６"):
        with pytest.raises(FetchError):
            interval_bytes(_head(("icy-metaint", nonsense)))


def test_headers_say_what_the_stream_is() -> None:
    head = _head(
        ("content-type", "Audio/MPEG; x=y"),
        ("icy-name", "Vögel\x07".encode().decode("latin-1")),
        ("icy-genre", ""),
        ("icy-br", "128"),
    )
    assert header_metadata(head) == {"content_type": "audio/mpeg", "name": "Vögel", "br": "128"}


@pytest.mark.parametrize("protocol", ["ICY", "HTTP/1.0"])
def test_a_stream_with_titles_sounds_like_one_without(
    protocol: str,
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
    endless: EndlessOgg,
) -> None:
    server.behave("/plain", Healthy(endless, real_time=False))
    title = "Owl's hour"
    server.behave("/icy", Healthy(endless, real_time=False, icy_interval=777, title=title, protocol=protocol))
    with (
        open_stream(server.url("/plain"), settings, cancel=cancellation) as plain,
        open_stream(server.url("/icy"), settings, cancel=cancellation) as icy,
    ):
        wanted = 100_000
        found = [b"", b""]
        for number, stream in enumerate((plain, icy)):
            while len(found[number]) < wanted:
                found[number] += stream.read(wanted - len(found[number]))
        assert found[0] == found[1]
        assert icy.metadata() == {"content_type": "audio/ogg", "name": "A made stream", "title": title}
        assert icy.counts()["titles"] == 1
        assert icy.counts()["bytes"] == wanted
        assert "title" not in plain.metadata()
