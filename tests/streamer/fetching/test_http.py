"""The HTTP client against real sockets: what it asks, what it takes, and when it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation, open_stream, parse_url
from streamer.engine.fetching.http import HttpClient, Response
from streamer.engine.fetching.http_heads import MAX_HEADERS, MAX_LINE_BYTES, parse_head
from tests.support.certificates import tls_for
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Fixed, Raw, Redirect, SlowHeaders, Stall, Status
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

Get = Callable[..., Response]


@pytest.fixture
def get(settings: SourcesSettings, cancellation: Cancellation) -> Get:
    """GET a URL, its user and password included."""

    def fetch(text: str, **options: object) -> Response:
        url = parse_url(text)
        client = HttpClient(settings, cancel=cancellation, login=url.login)
        return client.get(url, deadline_s=time.monotonic() + 5, **options)  # type: ignore[arg-type]

    return fetch


def _body(response: Response) -> bytes:
    with response:
        return response.read_all(1 << 20, time.monotonic() + 5)


def test_a_request_says_what_it_must_and_nothing_else(server: FaultyStreamServer, get: Get) -> None:
    server.behave("/a b", Status())
    server.behave("/x", Fixed(b"bytes"))
    assert _body(get(server.url("/x?y=1"))) == b"bytes"
    head = server.requests("/x")[0].head.decode()
    assert head.split("\r\n")[0] == "GET /x?y=1 HTTP/1.1"
    headers = server.requests("/x")[0].headers
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "Tidzam",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
    }


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytesand more",
    "the end": b"HTTP/1.0 200 OK\r\n\r\nbytes",
    "bare line ends": b"HTTP/1.0 200 OK\nServer: old\n\nbytes",
    "ICY": b"ICY 200 OK\r\nicy-name: x\r\n\r\nbytes",
    "chunks": CHUNKED + b"2\r\nby\r\n3;x=y\r\ntes\r\n0\r\nTrailer: x\r\n\r\n",
    "chunks and a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n005\r\nbytes\r\n0\r\n\r\n"
    ),
    "an interim answer before": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbytes",
    "a length said twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nbytes",
}


@pytest.mark.parametrize("kind", BODIES)
def test_bodies_end_where_their_headers_say(kind: str, server: FaultyStreamServer, get: Get) -> None:
    server.behave("/", Raw(BODIES[kind]))
    assert _body(get(server.url("/"))) == b"bytes"


NONSENSE = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "nothing": b"",
    "half a status": b"HTTP/1.1 20",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "another version": b"HTTP/2 200 OK\r\n\r\n",
    "a header that is none": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "a null byte": b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nA: " + b"b" * (MAX_LINE_BYTES + 1),
    "headers without end": b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 20,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nbytes",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nbytes",
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999999\r\n\r\nbytes",
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nbytes",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "less than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbytes",
    "a chunk without a size": CHUNKED + b"bytes\r\n",
    "a chunk below zero": CHUNKED + b"-5\r\nbytes\r\n",
    "a chunk longer than its size": CHUNKED + b"2\r\nbytes\r\n0\r\n\r\n",
    "half a chunk": CHUNKED + b"9\r\nbytes",
    "no last chunk": CHUNKED + b"5\r\nbytes\r\n",
    "trailers without end": (CHUNKED + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"),
    "a part that nobody asked for": b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\nbytes",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "too much": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_answers_that_make_no_sense_are_failures(kind: str, server: FaultyStreamServer, get: Get) -> None:
    server.behave("/", Raw(NONSENSE[kind]))
    with pytest.raises(FetchError):
        _body(get(server.url("/")))


@pytest.mark.parametrize(
    "status", ["404 Not Found", "403 Forbidden", "503 \x1b[31mred\x7f", "204 No Content"]
)
def test_other_answers_are_said(status: str, server: FaultyStreamServer, get: Get) -> None:
    server.behave("/x", Status(status))
    with pytest.raises(FetchError, match=rf"127\.0\.0\.1:{server.port}/x answers {status[:3]}") as caught:
        get(server.url("/x"))
    assert str(caught.value).isprintable()


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_lines_are_a_head_or_none(lines: list[bytes]) -> None:
    for first in (lines[:1], [b"HTTP/1.1 200 " + b"".join(lines[:1])]):
        try:
            head = parse_head(iter([*first, *lines[1:]]))
        except FetchError:
            continue
        assert 100 <= head.status <= 999
        assert head.reason.isprintable()


def test_redirects_are_followed_to_the_end(server: FaultyStreamServer, get: Get) -> None:
    server.behave("/1", Redirect("2?x=y", "301 Moved Permanently"))
    server.behave("/2", Redirect(f"//127.0.0.1:{server.port}/3", "303 See Other"))
    server.behave("/3", Redirect(server.url("/4"), "308 Permanent Redirect"))
    server.behave("/4", Fixed(b"bytes"))
    response = get(server.url("/1"))
    assert response.url.path == "/4"
    assert _body(response) == b"bytes"


def test_user_and_password_go_to_the_first_server_and_no_other(server: FaultyStreamServer, get: Get) -> None:
    with FaultyStreamServer() as other:
        other.behave("/there", Redirect(server.url("/back")))
        server.behave("/here", Redirect(other.url("/there").replace("//", "//eve:guess@")))
        server.behave("/back", Fixed(b"bytes"))
        assert _body(get(server.url("/here").replace("//", "//anna:s%3Acret@"))) == b"bytes"
        assert [request.headers.get("authorization") for request in other.requests()] == [None]
    said = [request.headers.get("authorization") for request in server.requests()]
    assert said == ["Basic YW5uYTpzOmNyZXQ="] * 2


def test_no_message_holds_a_password_or_a_token(server: FaultyStreamServer, get: Get) -> None:
    for behaviour in (Status("401 Unauthorized"), Status(), Raw(b"nonsense\r\n\r\n"), Redirect("ftp://x/")):
        server.behave("/x", behaviour)
        with pytest.raises((FetchError, RefusedAddressError)) as caught:
            get(server.url("/x?token=hidden").replace("//", "//anna:secret@"))
        error: BaseException | None = caught.value
        while error is not None:
            assert "secret" not in str(error)
            assert "hidden" not in str(error)
            error = error.__cause__


def test_ranges_of_bytes(server: FaultyStreamServer, get: Get) -> None:
    server.behave("/file", Fixed(bytes(range(100))))
    assert _body(get(server.url("/file"), byte_range=(10, 5))) == bytes(range(10, 15))
    server.behave("/file", Raw(BODIES["a length"]))
    with pytest.raises(FetchError, match="part of itself"):
        get(server.url("/file"), byte_range=(10, 5))


@pytest.mark.parametrize("behaviour", [Stall(), SlowHeaders(every_s=0.05), Stall(b"HTTP/1.1 200 OK\r\n")])
def test_a_server_that_does_not_answer_in_time_is_given_up(
    behaviour: Stall | SlowHeaders,
    server: FaultyStreamServer,
    settings: SourcesSettings,
    cancellation: Cancellation,
) -> None:
    server.behave("/", behaviour)
    begin_s = time.monotonic()
    with pytest.raises(FetchError, match="in time"):
        HttpClient(settings, cancel=cancellation).get(parse_url(server.url("/")), deadline_s=begin_s + 0.4)
    assert 0.4 <= time.monotonic() - begin_s < 4


def test_nobody_listens(get: Get) -> None:
    with FaultyStreamServer() as gone:
        url = gone.url("/")
    with pytest.raises(FetchError, match="refused"):
        get(url)


def test_tls_is_checked_against_the_name(
    tmp_path: Path, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    pair = tls_for("radio.example", folder=tmp_path)
    with FaultyStreamServer(tls=pair.server) as server:
        server.behave("/", Fixed(b"bytes"))

        def get(host: str, *, trusted: bool) -> bytes:
            client = HttpClient(
                settings,
                cancel=cancellation,
                resolver=lambda _: ("127.0.0.1",),
                tls=pair.client if trusted else None,
            )
            return _body(client.get(parse_url(server.url("/", host)), deadline_s=time.monotonic() + 5))

        assert get("radio.example", trusted=True) == b"bytes"
        assert get("radio.example.", trusted=True) == b"bytes"
        for host, trusted in (("other.example", True), ("127.0.0.1", True), ("radio.example", False)):
            with pytest.raises(FetchError, match="certificate"):
                get(host, trusted=trusted)


def test_what_began_with_tls_does_not_go_on_without(
    tmp_path: Path, server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    pair = tls_for("127.0.0.1", folder=tmp_path)
    with FaultyStreamServer(tls=pair.server) as secured:
        secured.behave("/", Redirect(server.url("/")))
        with pytest.raises(RefusedAddressError, match="https does not go on as http"):
            open_stream(secured.url("/"), settings, cancel=cancellation, tls=pair.client)
    assert server.connections == 0


def test_a_server_that_speaks_no_tls(
    server: FaultyStreamServer, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    client = HttpClient(settings, cancel=cancellation)
    with pytest.raises(FetchError, match="TLS"):
        client.get(parse_url(f"https://127.0.0.1:{server.port}/"), deadline_s=time.monotonic() + 0.5)
