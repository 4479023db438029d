"""The server that Icecast's relays pull from: only they, only mounts that there are, and nothing left running."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening import (
    CopyStream,
    ListenedChannel,
    Mount,
    RelayServer,
    channel_mounts,
    copy_mount,
)
from streamer.engine.listening.credentials import IcecastCredentials, basic_authorization, load_credentials
from streamer.engine.listening.listener_audio import ListenerAudio
from streamer.engine.listening.streams import CopiedStream, EncodedStream, Stream
from streamer.engine.mixer import GainStage
from streamer.engine.rings import ChannelRings, RingFolder
from tests.streamer.listening.made import RATE_HZ, ToneSite, encoders
from tests.support.parts import require_part
from tests.support.waiting import wait_for

OPUS, OGG = "/marsh-out_1.opus", "/marsh-out_1.ogg"


class _Server:
    """A relay server over one channel and one copied source."""

    def __init__(self, folder: Path, rings: ChannelRings) -> None:
        self.rings = rings
        self.credentials: IcecastCredentials = load_credentials(folder)
        self.copy = CopyStream("mp3")
        mounts = [*channel_mounts(ListenedChannel("marsh:out_1")), copy_mount("radio", "mp3")]
        self.mounts = {mount.path: mount for mount in mounts}
        self.relays = RelayServer(self.credentials, self.open, max_encoders=2, bitrate_kbps=64)
        self.relays.set_mounts(self.mounts)
        self.relays.start()

    def open(self, mount: Mount, now_s: float) -> Stream:
        if mount.format == "copy":
            return CopiedStream(self.copy.open())
        gain = GainStage(lambda: 1.0, rate_hz=RATE_HZ, ramp_s=0.02)
        audio = ListenerAudio(self.rings, lambda: 0, now_s)
        return EncodedStream(mount, audio, gain, rate_hz=RATE_HZ, bitrate_kbps=64, now_s=now_s)

    @property
    def authorization(self) -> str:
        return basic_authorization(self.credentials.relay_user, self.credentials.relay_password)

    def connect(self, request: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.relays.port), timeout=10)
        connection.sendall(request.encode())
        return connection

    def ask(self, path: str, authorization: str | None = None, method: str = "GET") -> socket.socket:
        header = self.authorization if authorization is None else authorization
        return self.connect(f"{method} {path} HTTP/1.0\r\nHost: x\r\nAuthorization: {header}\r\n\r\n")

    def status(self, path: str, authorization: str | None = None, method: str = "GET") -> int:
        with self.ask(path, authorization, method) as connection:
            return int(connection.recv(100).split()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    require_part("ffmpeg")
    before = _open_files()
    with RingFolder(tmp_path) as folder, ChannelRings.create(folder, 1, 10) as rings, ToneSite(rings, 1):
        made = _Server(tmp_path, rings)
        try:
            yield made
        finally:
            made.relays.stop()
            assert made.relays.counts()["encoders"] == 0
    assert _open_files() == before


def _open_files() -> list[str]:
    """What we have open but shared memory, which stays as long as somebody looks at it."""
    targets = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sorted(
        target for target in targets if "/tidzam-" not in target and not target.startswith("/proc/")
    )


def _read(connection: socket.socket, bytes_wanted: int) -> bytes:
    data = b""
    while len(data) < bytes_wanted and (piece := connection.recv(65_536)):
        data += piece
    return data


def test_wrong_credentials_are_refused_and_start_nothing(server: _Server) -> None:
    right = server.authorization
    for wrong in (
        "",
        "Basic",
        right[:-1],
        right + "=",
        right.replace("Basic", "Bearer"),
        basic_authorization("x", "y"),
    ):
        assert server.status(OPUS, wrong) == 401
    with server.connect(f"GET {OPUS} HTTP/1.0\r\n\r\n") as connection:
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.0 401 ")
        assert b"WWW-Authenticate: Basic" in answer
        assert connection.recv(1) == b""  # closed
    assert encoders() == []
    assert server.relays.counts()["relays_refused"] == 7


def test_only_mounts_that_there_are_and_only_get(server: _Server) -> None:
    assert server.status("/gone.opus") == 404
    assert server.status("/../secrets/icecast.json") == 404
    assert server.status(OPUS, method="PUT") == 405
    with server.connect("nonsense\r\n\r\n") as connection:
        assert connection.recv(100).split()[1] == b"400"
    with server.connect("A" * 10_000) as connection:
        assert connection.recv(100).split()[1] == b"400"
    assert encoders() == []


def test_a_relay_gets_a_stream_and_its_encoder_ends_when_it_leaves(server: _Server) -> None:
    with server.ask(OPUS) as connection:
        head, _, data = _read(connection, 5000).partition(b"\r\n\r\n")
        assert b"Content-Type: audio/ogg" in head
        assert b"ice-name: marsh:out_1" in head
        pages = PageSplitter().feed(data)
        assert pages[0].is_first
        assert pages[0].data[pages[0].body :].startswith(b"OpusHead")
        assert b"title=marsh:out_1" in pages[1].data
        assert server.relays.listened().keys() == {OPUS}
        (encoder,) = encoders()
        assert encoder.pid == server.relays.listened()[OPUS]
        assert str(server.credentials.relay_password) not in " ".join(encoder.cmdline())
    wait_for(lambda: encoders() == [], "the encoder ends")
    assert server.relays.listened() == {}


def test_no_more_encoders_run_than_allowed(server: _Server) -> None:
    with server.ask(OPUS) as first, server.ask(OGG) as second:
        _read(first, 500)
        _read(second, 500)
        assert server.status(OPUS) == 503
        assert server.relays.counts()["encoders_refused"] == 1
        with server.ask("/radio.mp3") as copy:  # which needs none
            server_copied = _read_copy(server, copy)
    assert server_copied == b"mp3 bytes"


def _read_copy(server: _Server, connection: socket.socket) -> bytes:
    wait_for(lambda: server.copy.listeners == 1, "it listens")
    server.copy.publish(b"mp3 bytes")
    head, _, data = _read(connection, 1).partition(b"\r\n\r\n")
    assert b"Content-Type: audio/mpeg" in head
    return data or _read(connection, 1)


def test_an_encoder_that_is_killed_is_replaced_and_the_stream_goes_on(server: _Server) -> None:
    with server.ask(OPUS) as connection:
        data = _read(connection, 8000)
        os.kill(server.relays.listened()[OPUS], signal.SIGKILL)
        data += _read(connection, 16_000)
        pages = PageSplitter().feed(data)
    beginnings = [page.serial for page in pages if page.is_first]
    assert len(beginnings) == 2
    assert len(set(beginnings)) == 2
    wait_for(lambda: server.relays.counts()["encoder_deaths"] == 1, "it is counted")


def test_a_mount_that_is_gone_ends_its_stream(server: _Server) -> None:
    with server.ask(OPUS) as gone, server.ask(OGG) as stays:
        _read(gone, 2000)
        server.relays.set_mounts({OGG: server.mounts[OGG]})
        while gone.recv(65_536):
            pass
        assert len(_read(stays, 4000)) >= 4000
    assert server.status(OPUS) == 404


def test_who_says_nothing_is_hung_up_on_and_hinders_nobody(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.engine.listening.relay_session.REQUEST_S", 0.5)
    with server.connect("") as silent, server.connect("GET / HT") as half:
        with server.ask(OPUS) as connection:
            assert len(_read(connection, 3000)) >= 3000
        assert silent.recv(1) == b""
        assert half.recv(1) == b""


def test_a_request_that_dribbles_in_is_answered(server: _Server) -> None:
    with server.connect("") as connection:
        for byte in f"GET {OPUS} HTTP/1.0\r\nAuthorization: {server.authorization}\r\n\r\n":
            connection.sendall(byte.encode())
        assert _read(connection, 100).startswith(b"HTTP/1.0 200 OK")
