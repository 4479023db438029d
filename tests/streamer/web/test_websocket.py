"""WebSockets on the wire: what is malformed or too much ends its own connection, soon, and nothing else."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from pathlib import Path

import pytest

from tests.streamer.web.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    RawSocket,
    handshaken,
    requested,
)
from tests.streamer.web.web_process import SocketClient, WebProcess, child_threads
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for

TOO_BIG = (1009).to_bytes(2, "big")
DATABASE = '42["sys",{"sys":{"database":""}}]'


def memory_bytes(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def sockets_open(web: WebProcess) -> float:
    text = web.request("GET", "/metrics").body.decode()
    return float(re.search(r"^tidzam_web_websockets (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]


@pytest.fixture(autouse=True)
def the_server_is_well_afterwards(web: WebProcess, engine: FakeEngine) -> object:
    yield
    wait_for(lambda: sockets_open(web) == 0, "all WebSockets have ended")
    with SocketClient(web, transports=["websocket"]) as client:
        assert "database" in client.ask({"sys": {"database": ""}})["sys"]


def test_frames_in_pieces_are_one_message(web: WebProcess) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        for index, piece in enumerate((DATABASE[:5], DATABASE[5:9], DATABASE[9:])):
            raw.frame(TEXT if index == 0 else CONTINUATION, piece.encode(), final=index == 2)
            if index < 2:
                raw.frame(PING, b"between")
                assert raw.receive() == (0xA, b"between")
        opcode, payload = raw.receive() or (0, b"")
        assert (opcode, payload[:6]) == (TEXT, b'42["sy')


def test_a_byte_at_a_time_is_a_message_too(web: WebProcess) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        sent: list[bytes] = []
        whole = raw.connection
        raw.connection = type("Kept", (), {"sendall": lambda _self, data: sent.append(data)})()  # type: ignore[assignment]
        raw.text(DATABASE)
        whole.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent[0]:
            whole.sendall(bytes([byte]))
        assert (raw.receive() or (0, b""))[1].startswith(b'42["sys"')


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_WebSocket_Version": "8"}, {"Sec_WebSocket_Version": ""}, {"Sec_WebSocket_Key": ""},
        {"Connection": "close"}, {"Upgrade": "h2c"}, {"Upgrade": ""},
    ],
)  # fmt: skip
def test_what_is_no_handshake_is_refused(web: WebProcess, headers: dict[str, str]) -> None:
    with requested(web, **headers) as (status, _):
        assert status == 400


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_that_never_ends_is_cut_off_and_keeps_no_memory(web: WebProcess, opcode: int) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        before = memory_bytes(web.pid)
        with contextlib.suppress(ConnectionError):
            for index in range(400):
                raw.frame(opcode if index == 0 else CONTINUATION, b"x" * 65_536, final=False)
        assert memory_bytes(web.pid) - before < 16 << 20
        frames = raw.until_end()
        assert [payload[:2] for kind, payload in frames if kind == CLOSE] in ([TOO_BIG], [])


def test_a_frame_that_says_it_is_huge_is_cut_off(web: WebProcess) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        raw.connection.sendall(bytes([0x82, 0xFF]) + (1 << 62).to_bytes(8, "big") + b"\0\0\0\0")
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                raw.connection.sendall(b"x" * 65_536)
        raw.until_end()


def test_nothing_is_inflated(web: WebProcess) -> None:
    with handshaken(web, Sec_WebSocket_Extensions="permessage-deflate") as raw:
        raw.connect_namespace()
        raw.connection.sendall(bytes([0xC1, 0x80]) + b"\0\0\0\0")  # says that it is compressed
        assert (CLOSE, 1002) in [
            (kind, int.from_bytes(payload[:2], "big")) for kind, payload in raw.until_end()
        ]


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "9", "7", "4", "4x", "49", "42", "42{}", "42[]", "42[5]", '42["connect"]', '42["disconnect"]',
        "42[[1]]", "42" + "[" * 5000, "4" + "[" * 100_000, "44{}", "451-", "45", '450-["sys"]', '455-["sys"]',
        '459999999999-["sys"]',
        '42-1["sys"]', '42999999999999999999999999999999999999["sys"]', "4{}", "4true", '42["sys"', "b", "b!!!",
        "bAAAA", "40{", "2probe", "1", "5",
    ],
    ids=lambda text: text[:24] or "empty",
)  # fmt: skip
def test_what_is_no_message_ends_its_connection_or_is_passed_over(web: WebProcess, text: str) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        raw.text(text)
        with contextlib.suppress(ConnectionError):
            raw.text(DATABASE)
        answer = raw.receive()
        while answer is not None and answer[0] != CLOSE and b"marsh" not in answer[1]:
            answer = raw.receive()


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"\xed\xa0\x80"])
def test_text_is_utf_8(web: WebProcess, payload: bytes) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        raw.frame(TEXT, payload)
        assert (CLOSE, 1007) in [(kind, int.from_bytes(body[:2], "big")) for kind, body in raw.until_end()]


def test_frames_of_clients_are_masked(web: WebProcess) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        raw.frame(TEXT, b"42[]", masked=False)
        assert raw.until_end()[-1][0] == CLOSE


def test_placeholders_that_lead_nowhere_end_their_connection(web: WebProcess, engine: FakeEngine) -> None:
    for number in ('"x"', "7", "-5", "null", "[]"):
        with handshaken(web) as raw:
            raw.connect_namespace()
            raw.text(f'451-["audio",{{"_placeholder":true,"num":{number}}}]')
            raw.frame(BINARY, b"\x00\x00")
            raw.until_end()
    assert engine.live == {}


def flood(raw: RawSocket, text: str) -> None:
    for _ in range(20_000):  # each is answered with as much again
        raw.text(text)
        raw.text('42["sys",["' + "x" * 1900 + '"]]')


@pytest.mark.long  # as long as a client may take nothing
def test_a_client_that_takes_nothing_is_given_up(web: WebProcess) -> None:
    with handshaken(web) as raw:
        raw.connect_namespace()
        raw.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = memory_bytes(web.pid)
        long = "x" * 1900
        raw.connection.settimeout(60)
        with pytest.raises(ConnectionError):
            flood(raw, f'42["{long}",["{long}","{long}","{long}"]]')
        assert memory_bytes(web.pid) - before < 64 << 20


@pytest.mark.long  # as long as a ping takes
def test_many_connections_leave_no_threads(web: WebProcess) -> None:
    def visit() -> None:
        with handshaken(web) as raw:
            raw.connect_namespace()

    visit()
    wait_for(lambda: sockets_open(web) == 0, "it is gone")
    time.sleep(0.1)
    before = child_threads(web.pid)
    for _ in range(30):
        visit()
    # Engine.IO keeps a thread a session until its next ping would come.
    wait_for(lambda: child_threads(web.pid) <= before + 3, "their threads end", 30.0)
