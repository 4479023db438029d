"""From a URL to sound: every container is told by its first bytes, and ffmpeg is told nothing else."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import ByteStream, Cancellation, open_stream
from streamer.engine.fetching.containers import container_of_stream, id3_bytes
from tests.streamer.fetching.conftest import SECONDS, TONE_HZ
from tests.streamer.fetching.decoding import decode, loudest_hz
from tests.support.endless_media import EndlessFrames, EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import (
    Dribble,
    Fixed,
    Garbage,
    HalfPage,
    Healthy,
    HlsLive,
    Raw,
    Redirect,
    Reset,
    Stall,
    Status,
)
from tests.support.waiting import wait_for
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

CONTAINERS = {
    "opus": "ogg",
    "vorbis": "ogg",
    "flac": "flac",
    "wav": "wav",
    "mp3": "mp3",
    "adts": "aac",
    "mpegts": "mpegts",
    "webm": "matroska",
    "fragments": "mp4",
}
Audio = Callable[[str], bytes]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_file_of_each_container_is_heard(
    kind: str,
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
    audio_bytes: Audio,
) -> None:
    server.behave("/file.txt", Fixed(audio_bytes(kind), "text/plain"))
    with open_stream(server.url("/file.txt"), settings, cancel=cancellation) as stream:
        assert stream.container.name == CONTAINERS[kind]
        assert not stream.is_live
        arguments = stream.input_arguments()
        assert arguments[:2] == ("-protocol_whitelist", "pipe")
        assert arguments[-4:] == ("-f", stream.container.demuxer, "-i", "pipe:0")
        samples = decode(stream)
        data = audio_bytes(kind)
        assert stream.counts()["bytes"] == len(data) - id3_bytes(data)
    assert len(samples) / 48000 == pytest.approx(SECONDS, abs=0.2)
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)


@pytest.mark.parametrize(
    ("kind", "content_type"), [("mp3", "audio/mpeg"), ("adts", "audio/aac"), ("mpegts", "video/mp2t")]
)
@pytest.mark.parametrize("skipped", [1, 333, 1000])
def test_a_stream_may_be_joined_in_the_middle_of_a_frame(
    kind: str,
    content_type: str,
    skipped: int,
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
    audio_bytes: Audio,
) -> None:
    data = audio_bytes(kind)[2000 + skipped :]
    server.behave("/live", Healthy(EndlessFrames(data, SECONDS, content_type), real_time=False))
    with open_stream(server.url("/live"), settings, cancel=cancellation) as stream:
        assert stream.container.name == CONTAINERS[kind]
        assert stream.is_live
        assert len(decode(stream, len(data))) > 48000


def test_ogg_without_end_is_one_stream(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/live", Healthy(endless, real_time=False, chunked=True))
    with open_stream(server.url("/live"), settings, cancel=cancellation) as stream:
        samples = decode(stream, 60_000)
    assert len(samples) / 48000 > 2 * SECONDS, "several times round"
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)


def test_real_time_streams_come_in_real_time(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/live", Healthy(endless, burst_s=0.0))
    begin_s = time.monotonic()
    with open_stream(server.url("/live"), settings, cancel=cancellation) as stream:
        samples = decode(stream, len(endless.head) + sum(len(endless.block(index)) for index in range(5)))
    assert time.monotonic() - begin_s > len(samples) / 48000 - 0.5


def test_tags_before_audio_are_dropped_however_large(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, audio_bytes: Audio
) -> None:
    picture_bytes = 300_000
    size = bytes(picture_bytes >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\4\0\0" + size + bytes(picture_bytes)
    small = b"ID3\3\0\0\0\0\0\5hello"
    assert id3_bytes(tag) == len(tag)
    server.behave("/file", Fixed(tag + small + audio_bytes("mp3")))
    with open_stream(server.url("/file"), settings, cancel=cancellation) as stream:
        assert stream.container.name == "mp3"
        # ffmpeg writes an ID3 tag of its own before the frames.
        assert stream.read().startswith(b"\xff")


NO_AUDIO = {
    "nothing": b"",
    "a web page": b"<!DOCTYPE html><html><body>Sign in to hear</body></html>" * 100,
    "text": b"this is text and no audio\n" * 200,
    "a list of files for ffmpeg": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "a session description": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
    "a manifest of DASH": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "nothing but tags": b"ID3\4\0\0\0\0\0\5hello" * 20,
    "half a tag": b"ID3\4\0\0\0\0\x10\0hello",
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("kind", NO_AUDIO)
def test_what_is_no_audio_is_not_shown_to_ffmpeg(
    kind: str, server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    server.behave("/file.ogg", Fixed(NO_AUDIO[kind], "audio/ogg"))
    with pytest.raises(FetchError, match=r"like no stream|answers with nothing"):
        open_stream(server.url("/file.ogg"), settings, cancel=cancellation)


@given(st.binary(max_size=3000))
def test_chance_is_of_no_container(data: bytes) -> None:
    found = container_of_stream(b"\0" + data.replace(b"OggS", b"").replace(b"\xff", b""), is_whole=True)
    assert found is None or found.name in ("mp4", "mpegts")


def test_faults_before_the_first_byte_are_told_apart(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    quick = settings.model_copy(update={"connect_s": 0.6})
    for behaviour, because in (
        (Status(), "404 Not Found"),
        (Stall(), "in time"),
        (Reset(), "broke|reset"),
        (Garbage(every_s=0.0), "like no stream"),
        (Stall(b"HTTP/1.0 200 OK\r\n\r\n"), "in time"),
        (Dribble(endless, every_s=0.05), "too slowly|in time"),
        (Raw(b"HTTP/1.0 200 OK\r\n\r\n"), "answers with nothing"),
    ):
        server.behave("/", behaviour)
        begin_s = time.monotonic()
        with pytest.raises(FetchError, match=because):
            open_stream(server.url("/"), quick, cancel=cancellation)
        assert time.monotonic() - begin_s < 5


def test_silence_is_told_with_its_seconds_and_the_setting_that_ends_it(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    quick = settings.model_copy(update={"connect_s": 0.5, "no_samples_s": 0.4})
    server.behave("/", Stall())
    with pytest.raises(FetchError, match=r"sent nothing in time, for 0\.\d s \(sources\.connect_s "):
        open_stream(server.url("/"), quick, cancel=cancellation)
    server.behave("/", Healthy(endless, real_time=False))
    said = _read_until_over(server.url("/"), quick, cancellation, lambda: server.behave("/", Stall()))
    assert re.search(r"sent nothing more in time, for 0\.\d s \(sources\.no_samples_s ", said)


def _read_on(stream: ByteStream, deadline_s: float | None = None) -> None:
    while stream.read(deadline_s=deadline_s):
        pass


def _read_until_over(
    stream_url: str, settings: SourcesSettings, cancellation: Cancellation, fault: Callable[[], None]
) -> str:
    """How a good stream ends after ``fault``: the error, or nothing at a clean end."""
    with open_stream(stream_url, settings, cancel=cancellation) as stream:
        stream.read()
        fault()
        try:
            _read_on(stream)
        except FetchError as error:
            return str(error)
        return ""


def test_faults_in_the_middle_of_a_stream_are_noticed_and_a_new_one_is_well(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    quick = settings.model_copy(update={"no_samples_s": 0.5})
    for fault, because in ((Stall(), "in time"), (Reset(), "broke"), (Status(), ""), (HalfPage(endless), "")):
        server.behave("/", Healthy(endless, real_time=False))
        said = _read_until_over(
            server.url("/"),
            quick,
            cancellation,
            lambda fault=fault: server.behave("/", fault),  # type: ignore[misc]
        )
        assert because in said
        assert bool(because) == bool(said)
        server.behave("/", Healthy(endless, real_time=False))
        with open_stream(server.url("/"), quick, cancel=cancellation) as stream:
            assert len(decode(stream, 30_000)) > 48000


def test_a_server_that_moves_to_another_format_is_followed_when_it_is_opened_anew(
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
    endless: EndlessOgg,
    audio_bytes: Audio,
) -> None:
    server.behave("/", Healthy(endless, real_time=False))
    other = EndlessFrames(audio_bytes("mp3"), SECONDS, "audio/mpeg")
    said = _read_until_over(
        server.url("/"), settings, cancellation, lambda: server.behave("/", Healthy(other, real_time=False))
    )
    assert said == ""
    with open_stream(server.url("/"), settings, cancel=cancellation) as stream:
        assert stream.container.name == "mp3"


def test_closing_leaves_nothing_open(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/", Healthy(endless))
    stream = open_stream(server.url("/"), settings, cancel=cancellation)
    assert server.open_connections == 1
    stream.close()
    stream.close()
    wait_for(lambda: server.open_connections == 0, "the connection is closed")


def test_a_deadline_of_the_reader_holds_beside_that_of_the_settings(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, endless: EndlessOgg
) -> None:
    server.behave("/", Healthy(endless))
    with open_stream(server.url("/"), settings, cancel=cancellation) as stream:
        stream.read()
        server.behave("/", Stall())
        begin_s = time.monotonic()
        with pytest.raises(FetchError, match="in time"):
            _read_on(stream, begin_s + 0.3)
        assert time.monotonic() - begin_s < settings.no_samples_s


def test_no_failure_leaves_a_descriptor_open(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation, audio_bytes: Audio
) -> None:
    server.behave("/hls/", HlsLive([audio_bytes("adts")], 1.0, window=3, real_time=False))
    server.behave("/text", Fixed(b"text"))
    server.behave("/out", Redirect("file:///etc/passwd"))
    server.behave("/gone.m3u", Fixed(f"#EXTM3U\n{server.url('/none')}\n".encode()))
    server.behave(
        "/encrypted", Fixed(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=X\n#EXTINF:1,\na\n")
    )
    refused = settings.model_copy(update={"private_addresses": False})

    def fail_and_succeed() -> None:
        for path in ("/none", "/text", "/out", "/gone.m3u", "/encrypted"):
            with pytest.raises((FetchError, RefusedAddressError)):
                open_stream(server.url(path), settings, cancel=cancellation)
        with pytest.raises(RefusedAddressError):
            open_stream(server.url("/hls/live.m3u8"), refused, cancel=cancellation)
        with pytest.raises(FetchError):
            open_stream("rtsp://127.0.0.1:1/", settings, cancel=cancellation)
        for url in (server.url("/hls/live.m3u8"), server.url("/hls/live.m3u8").replace("http:", "rtsp:")):
            open_stream(url, settings, cancel=cancellation).close()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    fail_and_succeed()
    wait_for(lambda: server.open_connections == 0, "the server is idle")
    before = descriptors()
    for _ in range(5):
        fail_and_succeed()
    wait_for(lambda: descriptors() <= before, "all descriptors are freed")
