"""Short playlists: the stream in them is found, and nothing else is believed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation, open_stream, parse_url
from streamer.engine.fetching.playlists import MAX_ENTRIES, is_hls, playlist_kind, playlist_urls
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Fixed, Healthy, Raw, Status
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

SOURCE = parse_url("http://radio.example/list")
XSPF = (
    '<?xml version="1.0" encoding="UTF-8"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><title>x</title>'
    "<trackList><track><title>y</title><location>{}</location></track></trackList></playlist>"
)


def urls(kind: str, text: str) -> list[str]:
    return [url.whole for url in playlist_urls(kind, text.encode(), SOURCE)]


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("m3u", "#EXTM3U\r\n#EXTINF:-1,Owls\r\nhttp://a.example/1\r\n\r\nhttps://b.example/2", 2),
        ("m3u", "http://a.example/1", 1),
        ("m3u", "\ufeff#EXTM3U\nrtsp://a.example/1\n", 1),
        (
            "pls",
            "[playlist]\nNumberOfEntries=2\nFile2=http://b.example/\nfile1 = http://a.example/\nTitle1=x",
            2,
        ),
        ("xspf", XSPF.format("http://a.example/?x=1&amp;y=2"), 1),
    ],
)
def test_streams_in_playlists(kind: str, text: str, found: int) -> None:
    assert len(urls(kind, text)) == found
    assert urls(kind, text)[0].startswith(("http://a.example/", "rtsp://a.example:554/", "rtsp://a.example/"))


def test_entries_of_pls_come_in_the_order_of_their_numbers() -> None:
    assert urls("pls", "[playlist]\nFile10=http://b.example/\nFile9=http://a.example/") == [
        "http://a.example/",
        "http://b.example/",
    ]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("m3u", ""),
        ("m3u", "#EXTM3U\n# nothing else\n"),
        ("pls", "[playlist]\nTitle1=http://a.example/\n"),
        ("xspf", XSPF.format("")),
        ("xspf", XSPF.format("http://a.example/")[:-5]),
        ("xspf", "<playlist><trackList><location>http://a.example/</location></trackList></playlist>"),
        ("xspf", '<?xml version="1.0" encoding="x-unknown"?><playlist/>'),
        ("xspf", "<playlist>" * 100),
        ("m3u", "http://a.example/\n" * (MAX_ENTRIES + 1)),
    ],
)
def test_playlists_without_a_stream_are_failures(kind: str, text: str) -> None:
    with pytest.raises(FetchError):
        urls(kind, text)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE playlist [<!ENTITY x "http://a.example/">]>',
        '<!DOCTYPE playlist [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE playlist SYSTEM "http://127.0.0.1/x.dtd">',
        '<!DOCTYPE playlist [<!ENTITY a "aaaaaaaa"><!ENTITY x "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_entities_of_xml_are_never_expanded(declaration: str) -> None:
    text = XSPF.format("&x;").replace("<playlist", f"{declaration}<playlist", 1)
    with pytest.raises(FetchError, match="declaration"):
        urls("xspf", text)


@given(st.sampled_from(["m3u", "pls", "xspf"]), st.binary(max_size=300))
def test_any_bytes_are_a_playlist_of_urls_or_refused(kind: str, data: bytes) -> None:
    whole = {"m3u": b"#EXTM3U\n", "pls": b"[playlist]\nFile1=", "xspf": b"<playlist>"}[kind] + data
    with contextlib.suppress(FetchError, RefusedAddressError):
        for url in playlist_urls(kind, whole, SOURCE):
            assert url.scheme in ("http", "https", "rtsp")


@given(
    st.lists(
        st.from_regex(r"http://[a-z]{1,9}\.example/[a-z0-9]{0,9}", fullmatch=True), min_size=1, max_size=9
    )
)
def test_every_form_names_the_same_streams(entries: list[str]) -> None:
    tracks = "</location></track><track><location>".join(entries)
    forms = {
        "m3u": "#EXTM3U\n" + "".join(f"#EXTINF:-1,x\n{entry}\n" for entry in entries),
        "pls": "[playlist]\n" + "".join(f"File{number}={entry}\n" for number, entry in enumerate(entries, 1)),
        "xspf": XSPF.format(tracks),
    }
    assert [urls(kind, text) for kind, text in forms.items()] == [entries] * 3


@pytest.mark.parametrize(
    ("head", "content_type", "path", "kind"),
    [
        (b"#EXTM3U\n", "text/plain", "/x", "m3u"),
        (b"\xef\xbb\xbf\r\n#extm3u\n", "", "/x", "m3u"),
        (b"http://a.example/", "audio/mpegurl", "/x", "m3u"),
        (b"http://a.example/", "text/html", "/x", "m3u"),
        (b"a.ogg\n", "application/octet-stream", "/list.M3U", "m3u"),
        (b"[Playlist]\n", "", "/x", "pls"),
        (b"<?xml version='1.0'?><playlist xmlns='x'>", "", "/x", "xspf"),
        (b"<html><body>", "audio/x-mpegurl", "/x.m3u", None),
        (b"some text", "text/plain", "/x", None),
        (b"OggS\0\2\0\0", "audio/x-mpegurl", "/x.m3u", None),
        (b"", "audio/x-mpegurl", "/x.m3u", None),
    ],
)
def test_what_a_playlist_looks_like(head: bytes, content_type: str, path: str, kind: str | None) -> None:
    assert playlist_kind(head, content_type, path) == kind


def test_hls_is_told_from_a_list_of_streams() -> None:
    assert is_hls("#EXTM3U\n#EXT-X-TARGETDURATION:4\n")
    assert is_hls("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx")
    assert not is_hls("#EXTM3U\n#EXTINF:-1,x #EXT-X-VERSION\nhttp://a.example/")


@pytest.fixture
def radio(server: FaultyStreamServer, endless: EndlessOgg) -> FaultyStreamServer:
    server.behave("/live", Healthy(endless, real_time=False))
    return server


@pytest.mark.parametrize("kind", ["m3u", "pls", "xspf"])
def test_a_playlist_leads_to_its_stream(
    kind: str, radio: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    live = radio.url("/live")
    text = {"m3u": f"#EXTM3U\n{live}\n", "pls": f"[playlist]\nFile1={live}\n", "xspf": XSPF.format(live)}[
        kind
    ]
    radio.behave("/list", Fixed(text.encode(), "text/plain"))
    with open_stream(radio.url("/list"), settings, cancel=cancellation) as stream:
        assert stream.container.name == "ogg"
        assert stream.read().startswith(b"OggS")


def test_the_next_stream_is_tried_when_one_fails(
    radio: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    radio.behave("/dead", Status())
    text = f"#EXTM3U\n{radio.url('/dead')}\n{radio.url('/live')}\n"
    radio.behave("/list", Fixed(text.encode(), "audio/x-mpegurl"))
    with open_stream(radio.url("/list"), settings, cancel=cancellation) as stream:
        assert stream.read()
    radio.behave("/live", Status("503 Busy"))
    with pytest.raises(FetchError, match=r"404.*503"):
        open_stream(radio.url("/list"), settings, cancel=cancellation)


def test_playlists_of_playlists_are_followed_three_deep(
    radio: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    for depth in range(1, 5):
        target = radio.url(f"/{depth - 1}" if depth > 1 else "/live")
        radio.behave(f"/{depth}", Fixed(f"#EXTM3U\n{target}\n".encode()))
    with open_stream(radio.url("/3"), settings, cancel=cancellation) as stream:
        assert stream.read()
    with pytest.raises(FetchError, match="3 deep"):
        open_stream(radio.url("/4"), settings, cancel=cancellation)


def test_a_playlist_that_names_itself_comes_to_an_end(
    radio: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    radio.behave("/list", Fixed(f"#EXTM3U\n{radio.url('/list')}\n".encode()))
    with pytest.raises(FetchError, match="deep"):
        open_stream(radio.url("/list"), settings, cancel=cancellation)
    assert radio.connections == 4


def test_a_playlist_without_end_is_given_up(
    radio: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    radio.behave("/list", Raw(b"HTTP/1.0 200 OK\r\n\r\n#EXTM3U\n" + b"# nothing\n" * 300_000))
    with pytest.raises(FetchError, match="more than"):
        open_stream(radio.url("/list"), settings, cancel=cancellation)
