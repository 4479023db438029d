"""RTSP: ffmpeg plays through the tunnel, which alone knows the server and the password."""

from __future__ import annotations

import secrets
import socket
import subprocess
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation, open_stream, parse_url
from streamer.engine.fetching.rtsp_login import RtspLogin
from streamer.engine.fetching.rtsp_mediation import RtspMediator
from streamer.engine.fetching.rtsp_messages import RtspMessage, RtspParser
from streamer.engine.fetching.urls import Login
from tests.streamer.fetching.decoding import loudest_hz, run_ffmpeg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.rtsp_server import RATE_HZ, TONE_HZ, RtspServer
from tests.support.stream_behaviours import Stall
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings


@pytest.mark.parametrize("login", [None, ("anna", 's:e"c@ret')])
def test_a_camera_is_heard_and_its_secrets_are_not_in_the_arguments(
    login: tuple[str, str] | None, settings: SourcesSettings, cancellation: Cancellation
) -> None:
    userinfo = "anna:s%3Ae%22c%40ret@" if login else ""
    with (
        RtspServer(login=login, seconds=1.5) as camera,
        open_stream(
            f"rtsp://{userinfo}127.0.0.1:{camera.port}/live/1?token=hidden", settings, cancel=cancellation
        ) as stream,
    ):
        arguments = " ".join(stream.input_arguments())
        assert not any(word in arguments for word in ("hidden", "anna", "ret", str(camera.port)))
        done = run_ffmpeg(stream)
        assert done.returncode == 0, done.stderr.decode()
        assert stream.read() == b""
        assert stream.counts()["bytes"] > len(done.stdout) / 2
        assert camera.connections == 1
        asked = [request.partition("\r\n")[0] for request in camera.requests]
    samples = np.frombuffer(done.stdout, np.float32)
    assert len(samples) / RATE_HZ == pytest.approx(1.5, abs=0.1)
    assert loudest_hz(samples, RATE_HZ) == pytest.approx(TONE_HZ, abs=2)
    base = f"rtsp://127.0.0.1:{camera.port}/live/1?token=hidden"
    assert asked[:2] == [f"OPTIONS {base} RTSP/1.0", f"DESCRIBE {base} RTSP/1.0"]
    assert all(f" {base}" in line for line in asked)


@pytest.mark.parametrize(
    ("camera", "userinfo", "because"),
    [
        (lambda: RtspServer(login=("anna", "secret")), "", "wants a user and password"),
        (lambda: RtspServer(login=("anna", "secret")), "anna:wrong@", "wants a user and password"),
        (lambda: RtspServer(status="404 Not Found"), "", "answers DESCRIBE with 404 Not Found"),
        (lambda: RtspServer(transport="RTP/AVP;unicast;client_port=5000-5001"), "", "elsewhere"),
        (lambda: RtspServer(transport="RTP/AVP/TCP;interleaved=0-1;destination=10.0.0.1"), "", "elsewhere"),
    ],
)
def test_why_a_camera_is_not_heard_is_said(
    camera: Callable[[], RtspServer],
    userinfo: str,
    because: str,
    settings: SourcesSettings,
    cancellation: Cancellation,
) -> None:
    with (
        camera() as running,
        open_stream(
            f"rtsp://{userinfo}127.0.0.1:{running.port}/live", settings, cancel=cancellation
        ) as stream,
    ):
        assert run_ffmpeg(stream).returncode != 0
        with pytest.raises((FetchError, RefusedAddressError), match=because) as caught:
            stream.read()
        assert "wrong" not in str(caught.value)


def test_a_camera_that_falls_silent_is_noticed(
    settings: SourcesSettings, cancellation: Cancellation, server: FaultyStreamServer
) -> None:
    server.behave(f"rtsp://127.0.0.1:{server.port}/", Stall())
    quick = settings.model_copy(update={"connect_s": 0.5, "no_samples_s": 0.5})
    with open_stream(f"rtsp://127.0.0.1:{server.port}/", quick, cancel=cancellation) as stream:
        assert run_ffmpeg(stream).returncode != 0
        with pytest.raises(FetchError, match=r"sent nothing for 0\.5 s"):
            stream.read()


def test_a_server_of_something_else_is_said_to_be_that(
    settings: SourcesSettings, cancellation: Cancellation, server: FaultyStreamServer
) -> None:
    with open_stream(f"rtsp://127.0.0.1:{server.port}/", settings, cancel=cancellation) as stream:
        assert run_ffmpeg(stream).returncode != 0
        with pytest.raises(FetchError, match="does not speak RTSP"):
            stream.read()


def test_only_one_connection_is_taken(settings: SourcesSettings, cancellation: Cancellation) -> None:
    with (
        RtspServer(seconds=60) as camera,
        open_stream(f"rtsp://127.0.0.1:{camera.port}/live", settings, cancel=cancellation) as stream,
    ):
        address = stream.input_arguments()[-1]
        local = ("127.0.0.1", int(address.rpartition(":")[2].partition("/")[0]))
        with socket.create_connection(local, 5) as first:
            first.sendall(f"OPTIONS {address} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            first.settimeout(10)
            assert first.recv(4096).startswith(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(local, 5)


def test_closing_ends_the_tunnel_and_ffmpeg_with_it(
    settings: SourcesSettings, cancellation: Cancellation
) -> None:
    with RtspServer(seconds=60) as camera:
        stream = open_stream(f"rtsp://127.0.0.1:{camera.port}/live", settings, cancel=cancellation)
        done: list[subprocess.CompletedProcess[bytes]] = []
        player = threading.Thread(target=lambda: done.append(run_ffmpeg(stream, deadline_s=30)))
        player.start()
        while stream.counts()["bytes"] < 5000:
            cancellation.require_going()
        stream.close()
        stream.close()
        player.join(20)
        assert done


def test_nobody_takes_the_stream(settings: SourcesSettings, cancellation: Cancellation) -> None:
    with (
        RtspServer() as camera,
        open_stream(f"rtsp://127.0.0.1:{camera.port}/live", settings, cancel=cancellation) as stream,
        pytest.raises(FetchError, match="still playing"),
    ):
        stream.read(deadline_s=0.0)


def message(text: str) -> RtspMessage:
    (parsed,) = RtspParser("x").feed(text.encode("latin-1"))
    assert isinstance(parsed, RtspMessage)
    return parsed


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50).map(lambda data: b"$\1" + len(data).to_bytes(2, "big") + data),
            st.tuples(
                st.sampled_from(["RTSP/1.0 200 OK", "OPTIONS * RTSP/1.0"]),
                st.binary(max_size=30),
                st.from_regex(r"[A-Za-z-]{1,10}", fullmatch=True).filter(
                    lambda name: name.lower() != "content-length"
                ),
            ).map(lambda parts: RtspMessage(parts[0], ((parts[2], "x"),), parts[1])),
        ),
        max_size=6,
    ),
    st.integers(1, 20),
)
def test_messages_and_frames_come_out_as_they_went_in(items: list[RtspMessage | bytes], size: int) -> None:
    sent = b"".join(item if isinstance(item, bytes) else item.written() for item in items)
    parser = RtspParser("x")
    found = []
    for begin in range(0, len(sent), size):
        found += parser.feed(sent[begin : begin + size])
    assert found == items


@given(st.binary(max_size=200))
def test_any_bytes_are_rtsp_or_a_failure(data: bytes) -> None:
    for whole in (data, b"RTSP/1.0 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            found = RtspParser("x").feed(whole)
        except FetchError:
            continue
        for item in found:
            if isinstance(item, RtspMessage):
                assert RtspParser("x").feed(item.written()) == [item]


@pytest.mark.parametrize(
    "hidden",
    [
        "RTSP/1.0 200 OK\r\nX: 1\n\nRTSP/1.0 302 Found\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        "RTSP/1.0 200 OK\r\nX: 1\r\r\n\r\n",
        "RTSP/1.0 200 OK\r\n$\0\0\4: x\r\n\r\n",
        "RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        "RTSP/1.0 200 OK\r\n: x\r\n\r\n",
        "x" * 20_000,
    ],
)
def test_what_could_be_read_differently_is_not_let_through(hidden: str) -> None:
    with pytest.raises(FetchError):
        RtspParser("x").feed(hidden.encode("latin-1"))


def _mediator(userinfo: str = "") -> RtspMediator:
    return RtspMediator(parse_url(f"rtsp://{userinfo}camera.example/live?t=1"), 4444)


@pytest.mark.parametrize(
    ("told", "real"),
    [
        ("rtsp://127.0.0.1:4444/stream", "rtsp://camera.example/live?t=1"),
        ("rtsp://127.0.0.1:4444/stream/track1", "rtsp://camera.example/live?t=1/track1"),
        ("rtsp://127.0.0.1:4444/other", "rtsp://camera.example/other"),
        ("rtsp://camera.example/live/track1", "rtsp://camera.example/live/track1"),
        ("*", "*"),
    ],
)
def test_the_server_is_asked_by_its_own_address(told: str, real: str) -> None:
    sent = _mediator().request(message(f"OPTIONS {told} RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
    assert sent == f"OPTIONS {real} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()


@pytest.mark.parametrize(
    "text",
    [
        "RTSP/1.0 301 Moved\r\nCSeq: 1\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        "RTSP/1.0 305 Use Proxy\r\nCSeq: 1\r\n\r\n",
        "REDIRECT rtsp://camera.example/ RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://10.0.0.1/\r\n\r\n",
        "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;multicast;destination=224.0.0.1\r\n\r\n",
    ],
)
def test_a_server_cannot_lead_elsewhere(text: str) -> None:
    with pytest.raises(RefusedAddressError):
        _mediator().answer(message(text))


def test_a_stale_nonce_is_answered_and_a_wrong_password_is_not_tried_again() -> None:
    mediator = _mediator("anna:secret@")
    asked = message("PLAY rtsp://127.0.0.1:4444/stream RTSP/1.0\r\nCSeq: 7\r\n\r\n")
    assert b"Authorization" not in mediator.request(asked)
    challenge = (
        'RTSP/1.0 401 Unauthorized\r\nCSeq: 7\r\nWWW-Authenticate: Digest realm="r", nonce="{}"{}\r\n\r\n'
    )
    nothing, again = mediator.answer(message(challenge.format("1", "")))
    assert nothing == b""
    assert b'nonce="1"' in again
    _, again = mediator.answer(message(challenge.format("2", ", stale=true")))
    assert b'nonce="2"' in again
    with pytest.raises(FetchError, match="user and password"):
        mediator.answer(message(challenge.format("3", "")))


def test_digest_is_that_of_the_rfcs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of RFC 2069 section 2.4, as its errata have it, and that of RFC 2617 section 3.5."""
    login = RtspLogin(Login(("rtsp", "x", 554), "Mufasa", "CircleOfLife"))
    assert login.take_challenge(
        [
            'Basic realm="x"',
            'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5c"',
        ]
    )
    said = login.authorization("GET", "/dir/index.html")
    assert said is not None
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in said
    assert 'opaque="5c"' in said
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0a4f113b")
    login = RtspLogin(Login(("rtsp", "x", 554), "Mufasa", "Circle Of Life"))
    challenge = 'realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    assert login.take_challenge([f"Digest {challenge}"])
    said = login.authorization("GET", "/dir/index.html")
    assert said is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in said


def test_basic_is_spoken_when_nothing_better_is_offered() -> None:
    login = RtspLogin(Login(("rtsp", "x", 554), "anna", "secret"))
    assert login.authorization("PLAY", "*") is None
    assert not login.take_challenge(["Negotiate"])
    assert not login.take_challenge(['Digest realm="x", nonce="y", algorithm=MD5-sess'])
    assert login.take_challenge(['Digest realm="x", nonce="y", algorithm=MD5-sess', 'Basic realm="x"'])
    assert login.authorization("PLAY", "*") == "Basic YW5uYTpzZWNyZXQ="
    assert login.take_challenge(['Digest realm="x", nonce="y", qop="auth-int,auth", algorithm=SHA-256'])
    said = login.authorization("PLAY", "*") or ""
    assert "qop=auth, nc=00000001" in said
