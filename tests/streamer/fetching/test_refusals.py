"""Attempts to reach what may not be reached, or to read files: all refused, and nobody is connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamer.engine.fetching import Cancellation, open_stream
from tests.streamer.fetching.decoding import run_ffmpeg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.rtsp_server import SDP, RtspServer
from tests.support.stream_behaviours import Fixed, Redirect, Status
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

# The only name that the settings allow; all that misbehaves comes from there.
GOOD = "good.example"
NAMES = {
    GOOD: ("127.0.0.1",),
    "localhost": ("127.0.0.1",),
    "loopback.example": ("127.0.0.1",),
    "loopback6.example": ("::1",),
    "mixed.example": ("8.8.8.8", "127.0.0.1"),
    "private.example": ("10.0.0.5",),
    "metadata.example": ("169.254.169.254",),
    "mapped.example": ("::ffff:127.0.0.1",),
    "nat64.example": ("64:ff9b::7f00:1",),
    "6to4.example": ("2002:7f00:1::1",),
    "any.example": ("0.0.0.0",),  # noqa: S104
}
SETTINGS = SourcesSettings(allowed_hosts=(GOOD,), connect_s=5.0)
SECRET = b"OggS and something that nobody may hear"


def resolver(host: str) -> Sequence[str]:
    """Names of the test, and numbers in any spelling as the system reads them."""
    if host.rstrip(".") in NAMES:
        return NAMES[host.rstrip(".")]
    found = socket.getaddrinfo(host.rstrip("."), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(address[0]) for *_, address in found]


@dataclass
class Scene:
    """The server that may be reached, the canary that may not, and a file with a secret."""

    server: FaultyStreamServer
    canary: FaultyStreamServer
    secret: Path
    cancel: Cancellation
    let_through: bool = False

    def refused(self, url: str) -> str:
        """Open ``url``; it must be refused, nobody have been connected to. Returns the message."""
        with pytest.raises(RefusedAddressError) as caught:
            open_stream(url, SETTINGS, cancel=self.cancel, resolver=resolver)
        assert self.canary.connections == 0
        assert "nobody may hear" not in str(caught.value)
        return str(caught.value)

    def answer(self, data: str, content_type: str = "audio/x-mpegurl") -> str:
        """URL of a good server's answer."""
        self.server.behave("/answer", Fixed(data.encode(), content_type))
        return self.server.url("/answer", GOOD)


@pytest.fixture
def scene(server: FaultyStreamServer, cancellation: Cancellation, tmp_path: Path) -> Iterator[Scene]:
    secret = tmp_path / "secret.ogg"
    secret.write_bytes(SECRET)
    with FaultyStreamServer() as canary:
        canary.behave("/", Fixed(SECRET, "audio/ogg"))
        made = Scene(server, canary, secret, cancellation)
        yield made
        assert made.let_through or canary.connections == 0


# {port} is the canary's, {secret} the path of the file.
DIRECT = [
    "file://{secret}",
    "file:{secret}",
    "{secret}",
    "concat:{secret}",
    "concat:http://127.0.0.1:{port}/|{secret}",
    "subfile,,start,0,end,100,,:{secret}",
    "async:file:{secret}",
    "cache:http://127.0.0.1:{port}/",
    "crypto:{secret}",
    "data:audio/ogg;base64,T2dnUw==",
    "pipe:0",
    "fd:3",
    "unix:/run/secret.sock",
    "unix:///run/secret.sock",
    "http+unix://%2Frun%2Fsecret.sock/",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://127.0.0.1:{port}/a.ogg",
    "tcp://127.0.0.1:{port}",
    "udp://127.0.0.1:{port}",
    "rtp://127.0.0.1:{port}",
    "sdp:{secret}",
    "lavfi:sine",
    "hls+http://127.0.0.1:{port}/a.m3u8",
    "hls+file://{secret}",
    "tls://127.0.0.1:{port}",
    "-i {secret}",
    "-f",
    "--help",
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://2130706433:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://good.example@127.0.0.1:{port}/",
    "http://good.example:80@127.0.0.1:{port}/",
    "http://good.example%00@127.0.0.1:{port}/",
    "http://good.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\.good.example/",
    "http://good.example#@127.0.0.1:{port}/\r\n",
    "http://good.example/\r\nHost: 127.0.0.1:{port}\r\n\r\nGET / HTTP/1.1",
    "http://good.example\t.127.0.0.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://loopback.example:{port}/",
    "http://loopback.example.:{port}/",
    "http://loopback6.example:{port}/",
    "http://mixed.example:{port}/",
    "http://private.example/",
    "http://metadata.example/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://mapped.example:{port}/",
    "http://nat64.example:{port}/",
    "http://6to4.example:{port}/",
    "http://any.example:{port}/",
    "https://127.0.0.1:{port}/",
    "icecast://127.0.0.1:{port}/",
    "rtsp://127.0.0.1:{port}/",
    "rtsp://loopback.example:{port}/",
    "rtsp://[::1]:{port}/",
    "http://good.example.evil.example@127.0.0.1:{port}/",
]


@pytest.mark.parametrize("attempt", DIRECT)
def test_urls_that_lead_where_they_may_not(attempt: str, scene: Scene) -> None:
    scene.refused(attempt.replace("{port}", str(scene.canary.port)).replace("{secret}", str(scene.secret)))
    assert scene.server.connections == 0


def test_the_canary_sees_who_is_let_through(scene: Scene) -> None:
    """So that a refusal is what kept the others away."""
    scene.canary.behave("/", Status())
    for url in ("http://127.0.0.1:{port}/", "http://2130706433:{port}/", "http://loopback.example:{port}/"):
        seen = scene.canary.connections
        with pytest.raises(FetchError, match="404"):
            open_stream(
                url.replace("{port}", str(scene.canary.port)),
                SourcesSettings(private_addresses=True),
                cancel=scene.cancel,
                resolver=resolver,
            )
        assert scene.canary.connections == seen + 1
    scene.let_through = True


LOCATIONS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "//127.0.0.1:{port}/",
    "http://loopback.example:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "https://127.0.0.1:{port}/",
    "http://good.example@127.0.0.1:{port}/",
    "file://{secret}",
    "file:{secret}",
    "gopher://127.0.0.1:{port}/",
    "rtsp://127.0.0.1:{port}/",
    "rtsp://good.example:{port}/",
    "data:audio/ogg;base64,T2dnUw==",
    "concat:{secret}",
    "http:\\\\127.0.0.1:{port}\\",
]


@pytest.mark.parametrize("location", LOCATIONS)
def test_redirects_that_lead_where_they_may_not(location: str, scene: Scene) -> None:
    target = location.replace("{port}", str(scene.canary.port)).replace("{secret}", str(scene.secret))
    scene.server.behave("/hop", Redirect(target))
    scene.server.behave("/start", Redirect("/hop", status="307 Temporary Redirect"))
    scene.refused(scene.server.url("/start", GOOD))
    assert scene.server.connections == 2


def test_redirects_without_end_are_refused(scene: Scene) -> None:
    scene.server.behave("/round", Redirect("/round"))
    assert "5 redirects" in scene.refused(scene.server.url("/round", GOOD))
    assert scene.server.connections == 6


ENTRIES = [
    "file://{secret}",
    "{secret}",
    "secret.ogg",
    "../../secret.ogg",
    "concat:{secret}",
    "subfile,,start,0,end,64,,:{secret}",
    "http://127.0.0.1:{port}/",
    "http://loopback.example:{port}/",
    "rtsp://127.0.0.1:{port}/",
    "C:\\secret.ogg",
    "-i",
]
LISTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "m3u": ("audio/x-mpegurl", lambda entry: f"#EXTM3U\n#EXTINF:-1,A stream\n{entry}\n"),
    "bare m3u": ("audio/mpegurl", lambda entry: f"{entry}\n"),
    "pls": ("audio/x-scpls", lambda entry: f"[playlist]\nFile1={entry}\nNumberOfEntries=1\n"),
    "xspf": (
        "application/xspf+xml",
        lambda entry: (
            '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
            f"<location>{entry}</location></track></trackList></playlist>"
        ),
    ),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", LISTS)
def test_playlists_that_lead_where_they_may_not(kind: str, entry: str, scene: Scene) -> None:
    target = entry.replace("{port}", str(scene.canary.port)).replace("{secret}", str(scene.secret))
    content_type, written = LISTS[kind]
    scene.refused(scene.answer(written(target), content_type))
    assert scene.server.connections == 1


HLS_URIS = [
    "file://{secret}",
    "http://127.0.0.1:{port}/segment.ts",
    "//127.0.0.1:{port}/segment.ts",
    "http://loopback.example:{port}/segment.ts",
    "rtsp://127.0.0.1:{port}/",
    "concat:{secret}",
    "data:audio/ogg;base64,T2dnUw==",
]
HLS_PLACES = {
    "segment": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{uri}\n#EXT-X-ENDLIST\n",
    "initialization": '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI="{uri}"\n#EXTINF:4,\nx.mp4\n#EXT-X-ENDLIST\n',
    "variant": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{uri}\n",
    "rendition": (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{uri}"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nvideo.m3u8\n'
    ),
}


@pytest.mark.parametrize("uri", HLS_URIS)
@pytest.mark.parametrize("place", HLS_PLACES)
def test_hls_playlists_that_lead_where_they_may_not(place: str, uri: str, scene: Scene) -> None:
    target = uri.replace("{port}", str(scene.canary.port)).replace("{secret}", str(scene.secret))
    scene.refused(scene.answer(HLS_PLACES[place].replace("{uri}", target), "application/vnd.apple.mpegurl"))
    assert scene.server.connections == 1


def test_a_name_that_changes_its_address_between_two_hops_is_judged_each_time(scene: Scene) -> None:
    """DNS rebinding: public when it is looked at, private when it is connected to."""
    answers = [("127.0.0.1",), ("10.0.0.5",)]
    asked = []

    def rebinding(host: str) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    settings = SourcesSettings(allowed_hosts=("127.0.0.1",), connect_s=5.0)
    scene.server.behave("/start", Redirect("/next"))
    with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.5"):
        open_stream(
            scene.server.url("/start", "rebinding.example"), settings, cancel=scene.cancel, resolver=rebinding
        )
    assert asked == ["rebinding.example"] * 2, (
        "one look-up a connection, and what was looked at is connected to"
    )


@pytest.mark.parametrize("location", ["rtsp://127.0.0.1:{port}/", "http://127.0.0.1:{port}/"])
def test_a_redirect_of_rtsp_is_refused_and_not_shown_to_ffmpeg(location: str, scene: Scene) -> None:
    target = location.replace("{port}", str(scene.canary.port))
    with (
        RtspServer(redirect=target) as camera,
        open_stream(
            f"rtsp://{GOOD}:{camera.port}/live", SETTINGS, cancel=scene.cancel, resolver=resolver
        ) as stream,
    ):
        assert run_ffmpeg(stream).returncode != 0
        with pytest.raises(RefusedAddressError, match="redirects"):
            stream.read()
    assert scene.canary.connections == 0


@pytest.mark.parametrize(
    "line",
    [
        "a=control:rtsp://127.0.0.1:{port}/track",
        "a=control:http://127.0.0.1:{port}/track",
        "a=control:file://{secret}",
        "a=rtpmap:97 L16/8000/1\r\na=fmtp:97 url=http://127.0.0.1:{port}/",
        "c=IN IP4 127.0.0.1\r\na=rtcp:{port} IN IP4 127.0.0.1",
    ],
)
def test_a_description_of_rtsp_that_names_others_leads_to_nobody(line: str, scene: Scene) -> None:
    told = line.replace("{port}", str(scene.canary.port)).replace("{secret}", str(scene.secret))
    sdp = SDP.replace("a=control:trackID=1", told)
    with (
        RtspServer(sdp=sdp, seconds=0.1) as camera,
        open_stream(
            f"rtsp://{GOOD}:{camera.port}/live", SETTINGS, cancel=scene.cancel, resolver=resolver
        ) as stream,
    ):
        run_ffmpeg(stream)
        assert any(request.startswith("DESCRIBE") for request in camera.requests)
        assert camera.connections == 1
    assert scene.canary.connections == 0
