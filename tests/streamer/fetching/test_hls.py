"""HLS over a real server: segments in their order, at the speed at which they play, whatever the playlist does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from streamer.engine.fetching import ByteStream, Cancellation, open_stream
from streamer.engine.fetching.containers import MPEG_TS
from tests.streamer.fetching.conftest import SECONDS, TONE_HZ
from tests.streamer.fetching.decoding import decode, loudest_hz
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Fixed, HlsLive, Stall, Status
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
Audio = Callable[[str], bytes]


@pytest.fixture
def open_hls(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> Callable[..., ByteStream]:
    """Open a playlist that is written here, or the one at a path."""

    def opened(text: str = "", path: str = "/vod/list.m3u8", **changed: float) -> ByteStream:
        if text:
            server.behave(path, Fixed(text.encode(), "application/vnd.apple.mpegurl"))
        return open_stream(server.url(path), settings.model_copy(update=changed), cancel=cancellation)

    return opened


def whole(stream: ByteStream) -> bytes:
    data = b""
    while piece := stream.read():
        data += piece
    return data


def test_a_list_that_has_ended_is_read_from_its_beginning_as_fast_as_it_comes(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    segment = audio_bytes("mpegts")
    server.behave("/vod/a", Fixed(segment))
    text = HEAD + "".join("#EXTINF:2,\na\n" for _ in range(10)) + "#EXT-X-ENDLIST\n"
    begin_s = time.monotonic()
    with open_hls(text) as stream:
        assert stream.container is MPEG_TS
        assert not stream.is_live
        assert whole(stream) == segment * 10
        assert time.monotonic() - begin_s < 10
        assert stream.counts() == {
            "bytes": 10 * len(segment),
            "segments": 10,
            "lost_segments": 0,
            "discontinuities": 0,
        }


def test_ranges_and_what_comes_before_them(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    """One file of fragments, named piece by piece, is played as it is."""
    data = audio_bytes("fragments")
    begin = data.index(b"moof") - 4
    middle = data.index(b"moof", begin + 8) - 4
    server.behave("/vod/all.mp4", Fixed(data))
    text = (
        HEAD + f'#EXT-X-MAP:URI="all.mp4",BYTERANGE="{begin}@0"\n'
        f"#EXTINF:1,\n#EXT-X-BYTERANGE:{middle - begin}@{begin}\nall.mp4\n"
        f"#EXTINF:1,\n#EXT-X-BYTERANGE:{len(data) - middle}\nall.mp4\n#EXT-X-ENDLIST\n"
    )
    with open_hls(text) as stream:
        assert stream.container.name == "mp4"
        samples = decode(stream)
    assert len(server.requests("/vod/all.mp4")) == 3
    assert len(samples) / 48000 == pytest.approx(SECONDS, abs=0.2)
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)


@pytest.mark.parametrize(("kind", "container"), [("mpegts", "mpegts"), ("adts", "aac"), ("mp3", "mp3")])
def test_segments_of_each_container_sound(
    kind: str,
    container: str,
    server: FaultyStreamServer,
    audio_bytes: Audio,
    open_hls: Callable[..., ByteStream],
) -> None:
    tag = (
        b"ID3\4\0\0\0\0\0\5hello" if kind != "mpegts" else b""
    )  # RFC 8216 section 3.4 wants one with the time in it
    server.behave("/vod/a", Fixed(tag + audio_bytes(kind)))
    with open_hls(HEAD + "#EXTINF:2,\na\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\na\n#EXT-X-ENDLIST\n") as stream:
        assert stream.container.name == container
        samples = decode(stream)
        assert stream.counts()["discontinuities"] == 1
    assert len(samples) / 48000 == pytest.approx(2 * SECONDS, abs=0.3)
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)


def test_the_variant_with_audio_is_played(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    server.behave("/low/a", Fixed(audio_bytes("adts")))
    server.behave("/low/list.m3u8", Fixed((HEAD + "#EXTINF:2,\na\n#EXT-X-ENDLIST\n").encode()))
    text = (
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.1"\n/video\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="mp4a.40.2"\n/high\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=5,CODECS="mp4a.40.2"\n../low/list.m3u8\n'
    )
    with open_hls(text) as stream:
        assert whole(stream) == audio_bytes("adts")
    assert {request.path for request in server.requests()} == {"/vod/list.m3u8", "/low/list.m3u8", "/low/a"}


def test_encrypted_segments_are_refused_with_the_reason(
    server: FaultyStreamServer, open_hls: Callable[..., ByteStream]
) -> None:
    text = HEAD + '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:2,\na\n#EXT-X-ENDLIST\n'
    with pytest.raises(FetchError, match=r"AES-128.*not played"):
        open_hls(text)
    assert len(server.requests()) == 1


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n",
    ],
)
def test_a_refused_entry_is_told_to_be_one_of_the_playlist(
    text: str, server: FaultyStreamServer, open_hls: Callable[..., ByteStream]
) -> None:
    with pytest.raises(RefusedAddressError, match=r"list\.m3u8 is a playlist, and an entry of it.*file://"):
        open_hls(text)
    assert len(server.requests()) == 1


def test_segments_of_no_audio_are_refused(
    server: FaultyStreamServer, open_hls: Callable[..., ByteStream]
) -> None:
    server.behave("/vod/a", Fixed(b"#EXTM3U\nfile:///etc/passwd\n"))
    with pytest.raises(FetchError, match="like no audio"):
        open_hls(HEAD + "#EXTINF:2,\na\n#EXT-X-ENDLIST\n")


def _numbered(count: int, adts: bytes) -> list[bytes]:
    """Segments that can be told apart by their lengths."""
    return [adts[: len(adts) - number] for number in range(count)]


def test_a_live_list_begins_three_segments_before_its_end_and_misses_none(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    segments = _numbered(20, audio_bytes("adts"))
    live = HlsLive(segments, 1.0, window=6, real_time=False)
    server.behave("/hls/", live)
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0) as stream:
        assert stream.is_live
        data = b""
        expected = b"".join(segments[3:6])
        while len(data) < len(expected):
            data += stream.read()
        live.advance(2)
        expected += b"".join(segments[6:8])
        while len(data) < len(expected):
            data += stream.read()
        assert data == expected
        assert stream.counts()["lost_segments"] == 0


def test_segments_that_left_the_list_before_they_were_read_are_counted(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    segments = _numbered(20, audio_bytes("adts"))
    live = HlsLive(segments, 1.0, window=3, real_time=False)
    server.behave("/hls/", live)
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0) as stream:
        expected = b"".join(segments[0:3])
        data = b""
        while len(data) < len(expected):
            data += stream.read()
        live.advance(5)  # 3 and 4 are gone
        expected += b"".join(segments[5:8])
        while len(data) < len(expected):
            data += stream.read()
        assert data == expected
        assert stream.counts()["lost_segments"] == 2


def test_a_segment_that_is_not_there_is_left_out_and_several_in_a_row_end_the_stream(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    segments = _numbered(20, audio_bytes("adts"))
    live = HlsLive(segments, 1.0, window=3, real_time=False)
    live.missing = {1}
    server.behave("/hls/", live)
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0) as stream:
        expected = segments[0] + segments[2]
        data = b""
        while len(data) < len(expected):
            data += stream.read()
        assert data == expected
        assert stream.counts()["lost_segments"] == 1
        live.missing = {3, 4, 5}
        live.advance(3)
        with pytest.raises(FetchError, match="404"):
            stream.read()


@pytest.mark.parametrize("fault", [Status("500 Error"), Stall()])
def test_a_list_that_fails_for_good_ends_the_stream(
    fault: Status | Stall, server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    server.behave("/hls/", HlsLive([audio_bytes("adts")], 1.0, window=3, real_time=False))
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0, connect_s=0.5, no_samples_s=3.0) as stream:
        server.behave("/hls/", fault)
        with pytest.raises(FetchError):
            whole(stream)


def test_a_server_that_counts_anew_ends_the_stream(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    live = HlsLive([audio_bytes("adts")], 1.0, window=3, real_time=False)
    live.advance(100)
    server.behave("/hls/", live)
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0) as stream:
        live.advance(-100)
        with pytest.raises(FetchError, match="anew"):
            whole(stream)


def test_a_live_list_may_come_to_its_end(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    live = HlsLive([audio_bytes("adts")], 1.0, window=2, real_time=False)
    server.behave("/hls/", live)
    with open_hls(path="/hls/live.m3u8", buffer_s=10.0) as stream:
        live.is_ended = True
        assert whole(stream) == audio_bytes("adts") * 2


def test_live_audio_comes_at_the_speed_at_which_it_plays(
    server: FaultyStreamServer, audio_bytes: Audio, open_hls: Callable[..., ByteStream]
) -> None:
    """Three segments of a second are there at once; they are given out over their seconds, one of them ahead."""
    adts = audio_bytes("adts")
    server.behave("/hls/", HlsLive([adts], 1.0, window=3, real_time=True))
    begin_s = time.monotonic()
    with open_hls(path="/hls/live.m3u8", buffer_s=0.5) as stream:
        given = 0
        while given < 2.5 * len(adts):
            given += len(stream.read())
            ahead_s = given / len(adts) - (time.monotonic() - begin_s)
            assert ahead_s < 1.3, "a second ahead, and a slice"
    assert time.monotonic() - begin_s < 10


def test_user_and_password_go_to_the_server_of_the_list_alone(
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
    audio_bytes: Audio,
) -> None:
    with FaultyStreamServer() as other:
        other.behave("/b", Fixed(audio_bytes("adts")))
        server.behave("/vod/a", Fixed(audio_bytes("adts")))
        text = HEAD + f"#EXTINF:2,\na\n#EXTINF:2,\n{other.url('/b')}\n#EXT-X-ENDLIST\n"
        server.behave("/vod/list.m3u8", Fixed(text.encode()))
        url = server.url("/vod/list.m3u8").replace("//", "//anna:secret@")
        with open_stream(url, settings, cancel=cancellation) as stream:
            assert whole(stream) == audio_bytes("adts") * 2
        said = [request.headers.get("authorization") for request in (*server.requests(), *other.requests())]
        assert said == ["Basic YW5uYTpzZWNyZXQ="] * 2 + [None]


def test_a_list_without_a_segment_is_given_up(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    server.behave("/vod/list.m3u8", Fixed(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"))
    quick = settings.model_copy(update={"no_samples_s": 0.3})
    begin_s = time.monotonic()
    with pytest.raises(FetchError, match="no new segment"):
        open_stream(server.url("/vod/list.m3u8"), quick, cancel=cancellation)
    assert time.monotonic() - begin_s < 15
