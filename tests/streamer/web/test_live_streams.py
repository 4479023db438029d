"""Live streams: PCM16 in both forms, at any rate, of one client each; who may, and how many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import LIVE_PORTS, FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.access import Role

TONE = (20_000 * np.sin(np.arange(4096) / 7)).astype("<i2").tobytes()


def only(engine: FakeEngine) -> dict[str, Any]:
    (stream,) = engine.live.values()
    return {**stream, "pcm": bytes(stream["pcm"])}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_raw_samples_arrive_as_they_were_sent(web: WebProcess, engine: FakeEngine, transport: str) -> None:
    with SocketClient(web, transports=[transport]) as client:
        for _ in range(3):
            assert client.call("audio", TONE) == {"dropped_frames": 0}
        assert only(engine) == {"rate_hz": 48_000, "storage": False, "pcm": 3 * TONE}
        assert [told["portname"] for told in client.told] == ["tidzam-livestreams:out_1"]


def test_the_object_form_says_its_rate_and_whether_to_keep_it(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web, web.token(Role.LABEL)) as client:
        client.call("audio", {"buffer": TONE, "samplerate": 44_100, "storage": True})
        assert only(engine) == {"rate_hz": 44_100, "storage": True, "pcm": TONE}
        assert client.told[0]["filename"] == client.told[0]["sys"]["filename"] != ""
        client.call("audio", {"buffer": TONE})  # at the rate that it said before
        assert only(engine)["rate_hz"] == 44_100
        client.call("audio", TONE)
        assert only(engine)["rate_hz"] == 44_100


def test_the_order_of_many_blocks_stays(web: WebProcess, engine: FakeEngine) -> None:
    blocks = [n.to_bytes(2, "little") * 64 for n in range(200)]
    with SocketClient(web) as client:
        for block in blocks:
            client.client.emit("audio", block)
        client.call("sys", {"sys": {"database": ""}})
        assert only(engine)["pcm"] == b"".join(blocks)


def test_settings_of_add_livestream_hold_for_what_follows(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web) as client:
        client.ask({"sys": {"add_livestream": {"samplerate": 16_000}}})
        client.call("audio", TONE)
        assert only(engine) == {"rate_hz": 16_000, "storage": False, "pcm": TONE}
        client.ask({"sys": {"add_livestream": {"samplerate": 8_000}}})  # in its place
        client.call("audio", TONE)
        assert only(engine) == {"rate_hz": 8_000, "storage": False, "pcm": TONE}


def test_a_client_stops_and_starts_again(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web) as client:
        client.call("audio", TONE)
        assert client.call("sys", {"sys": {"del_livestream": ""}}) == {"sys": {"del_livestream": ""}}
        assert engine.live == {}
        assert "no live stream" in client.ask({"sys": {"del_livestream": ""}})["error"]
        client.call("audio", TONE)
        assert only(engine)["pcm"] == TONE


def test_there_are_as_many_as_there_are_ports(web: WebProcess, engine: FakeEngine) -> None:
    clients = [SocketClient(web) for _ in range(LIVE_PORTS + 1)]
    try:
        for client in clients:
            client.__enter__()
        for client in clients[:-1]:
            client.call("audio", TONE)
        refused = clients[-1].call("audio", TONE)
        assert (refused["code"], "ports" in refused["error"]) == ("graph_unavailable", True)
        clients[0].client.disconnect()
        wait_for(lambda: len(engine.live) < LIVE_PORTS, "a port is free")
        assert clients[-1].call("audio", TONE) == {"dropped_frames": 0}
    finally:
        for client in clients:
            client.__exit__(None, None, None)


def test_after_the_engine_forgot_it_the_next_samples_open_another(
    web: WebProcess, engine: FakeEngine
) -> None:
    with SocketClient(web) as client:
        client.call("audio", TONE)
        engine.live.clear()
        refused = client.call("audio", TONE)
        assert "no live stream" in refused["error"]
        assert refused["request-origin"] == {"audio": [f"<{len(TONE)} bytes>"]}
        assert client.call("audio", TONE) == {"dropped_frames": 0}
        assert only(engine)["pcm"] == TONE


def test_to_keep_what_is_heard_wants_role_label(web: WebProcess, engine: FakeEngine) -> None:
    for token in (None, web.token(Role.LISTEN)):
        with SocketClient(web, token) as client:
            refused = client.call("audio", {"buffer": TONE, "storage": True})
            assert "role label" in refused["error"]
            assert "role label" in client.ask({"sys": {"add_livestream": {"storage": True}}})["error"]
    assert engine.live == {}


def test_the_settings_say_who_may_be_heard(own_home: Path) -> None:
    with FakeEngine(own_home) as engine, WebProcess(own_home, live_role="operate") as web:
        for token in (None, web.token(Role.LABEL)):
            with SocketClient(web, token) as client:
                assert "role operate" in client.call("audio", TONE)["error"]
        assert engine.live == {}
        with SocketClient(web, web.token(Role.OPERATE)) as client:
            assert client.call("audio", TONE) == {"dropped_frames": 0}


def test_complaints_about_audio_do_not_flood_its_sender(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web) as client:
        for _ in range(50):
            client.client.emit("audio", b"\x00")
        client.call("sys", {"sys": {"database": ""}})
        complaints = [told for told in client.told if "error" in told]
        assert 1 <= len(complaints) < 20


def test_a_stream_that_refuses_samples_keeps_no_port(web: WebProcess, engine: FakeEngine) -> None:
    with SocketClient(web) as client:
        client.call("audio", TONE)
        for _ in range(2 * LIVE_PORTS):
            engine.refused_push = "it has ended"
            assert "it has ended" in client.call("audio", TONE)["error"]
            engine.refused_push = ""
            assert client.call("audio", TONE) == {"dropped_frames": 0}
        assert len(engine.live) == 1


def test_more_seconds_than_the_engine_keeps_are_refused_before_it(
    web: WebProcess, engine: FakeEngine
) -> None:
    with SocketClient(web) as client:
        refused = client.call("audio", {"buffer": b"\0\0" * 12_001, "samplerate": 4_000})
        assert "3 s at a time" in refused["error"]
        assert "live.push" not in [command for command, _ in engine.asked]
        assert client.call("audio", {"buffer": b"\0\0" * 12_000, "samplerate": 4_000}) == {
            "dropped_frames": 0
        }


def test_what_the_engine_drops_is_told_and_counted_once(web: WebProcess, engine: FakeEngine) -> None:
    def counted() -> int:
        text = web.request("GET", "/metrics").body.decode()
        found = re.search(r"^tidzam_web_audio_dropped_frames_total (\S+)$", text, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))

    before = counted()
    with SocketClient(web) as client:
        for dropped in (0, 100, 100, 250):
            engine.dropped_frames = dropped
            assert client.call("audio", TONE) == {"dropped_frames": dropped}
    assert counted() - before == 250
