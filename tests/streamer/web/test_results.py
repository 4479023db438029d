"""What is heard, told over Socket.IO: to whom, in which form, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.detections.made import heard
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_analyzer import CLASSES, MORNING, FakeAnalyzer, told_window
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.clock import utc_now

LIVE = "tidzam-livestreams:out_1"
PCM = b"\1\0" * 4096
OUTPUTS = {"birds": 0.8, "birds-american_crow": 0.7, "rain": 0.1}
NEW = {
    "chan": "marsh:out_1",
    "analysis": {"time": "2026-04-01T05:00:00.000Z", "result": ["birds-american_crow"], "outputs": OUTPUTS},
}
OLD = {
    "chan": "marsh:out_1",
    "analysis": {
        "time": "2026-04-01-05-00-00.000",
        "result": ["birds-american_crow"],
        "predicitions": OUTPUTS,
    },
}
BRIEF = {
    "chan": "marsh:out_1",
    "analysis": {"time": "2026-04-01T05:00:00.000Z", "result": ["birds-american_crow"], "late": False},
}


@pytest.fixture
def others(web: WebProcess) -> Iterator[ExitStack]:
    """Further clients, which leave when the test ends."""
    with ExitStack() as opened:
        yield opened


def subscribe(client: SocketClient, **wanted: Any) -> Any:
    return client.call("sys", {"sys": {"subscribe": wanted}})


def wait_windows(client: SocketClient, number: int) -> list[dict[str, Any]]:
    wait_for(lambda: len(client.windows) >= number, f"{number} windows")
    return client.windows


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_who_connects_is_told_every_window_as_the_original_told_it(
    web: WebProcess, analyzer: FakeAnalyzer, transport: str
) -> None:
    with SocketClient(web, transports=[transport]) as client:
        analyzer.tell_windows([told_window(), told_window("marsh:out_2", heard="unknown")])
        first, second = wait_windows(client, 2)
        assert first == NEW
        assert (second["chan"], second["analysis"]["result"]) == ("marsh:out_2", ["unknown"])
        assert client.told == []


@pytest.mark.parametrize(("form", "window"), [("old", OLD), ("new", NEW), ("brief", BRIEF)])
def test_a_client_chooses_the_form(
    web: WebProcess, analyzer: FakeAnalyzer, form: str, window: dict[str, Any]
) -> None:
    with SocketClient(web) as client:
        assert subscribe(client, form=form) == {"sys": {"subscribe": {"channels": None, "form": form}}}
        analyzer.tell_windows([told_window()])
        assert wait_windows(client, 1) == [window]


def test_a_client_chooses_channels_and_others_still_get_all(
    web: WebProcess, analyzer: FakeAnalyzer, others: ExitStack
) -> None:
    everything, marsh, nothing = (others.enter_context(SocketClient(web)) for _ in range(3))
    subscribe(marsh, channels=["marsh:out_?", "pond:out_2"])
    subscribe(nothing, channels=[])
    names = ["marsh:out_1", "marsh:out_12", "pond:out_1", "pond:out_2", "marshes:out_1"]
    analyzer.tell_windows([told_window(name) for name in names])
    assert [window["chan"] for window in wait_windows(everything, 5)] == names
    assert [window["chan"] for window in wait_windows(marsh, 2)] == ["marsh:out_1", "pond:out_2"]
    subscribe(nothing)  # all, again
    analyzer.tell_windows([told_window("marsh:out_9")])
    assert [window["chan"] for window in wait_windows(nothing, 1)] == ["marsh:out_9"]


def test_many_moments_come_whole_and_in_order(web: WebProcess, analyzer: FakeAnalyzer) -> None:
    with SocketClient(web) as client:
        for moment in range(300):
            analyzer.tell_windows([told_window(f"marsh:out_{n}", moment / 2) for n in (1, 2, 3)])
        windows = wait_windows(client, 900)
    for n in (1, 2, 3):
        times = [one["analysis"]["time"] for one in windows if one["chan"] == f"marsh:out_{n}"]
        assert len(times) == 300
        assert times == sorted(set(times))
    assert client.of("lost") == []


@pytest.mark.parametrize(
    "value", ["", [], {"channels": "marsh:out_1"}, {"channels": ["../x"]}, {"channels": ["*a*a*a*a*a*"]},
              {"form": "newest"}, {"channels": ["m"] * 101}, {"colour": 1}, {"channels": [5]}],
)  # fmt: skip
def test_what_makes_no_sense_changes_no_subscription(
    web: WebProcess, analyzer: FakeAnalyzer, value: Any
) -> None:
    with SocketClient(web) as client:
        request = {"sys": {"subscribe": value}}
        answer = client.ask(request)
        assert sorted(answer) == ["error", "request-origin"]
        assert answer["request-origin"] == (
            request if value != {"channels": ["m"] * 101} else answer["request-origin"]
        )
        analyzer.tell_windows([told_window()])
        assert wait_windows(client, 1) == [NEW]


def test_a_live_stream_is_told_to_its_own_client_and_nobody_else(
    web: WebProcess, engine: FakeEngine, analyzer: FakeAnalyzer, others: ExitStack
) -> None:
    own, other, second = (others.enter_context(SocketClient(web)) for _ in range(3))
    subscribe(own, channels=[], form="old")
    own.call("audio", PCM)
    second.call("audio", PCM)
    now = utc_now()
    analyzer.tell_windows([told_window(LIVE, start=now), told_window("marsh:out_1")])
    analyzer.tell_detection(heard(channel=LIVE, after_s=(now - heard().start).total_seconds() + 1))
    (window,) = wait_windows(own, 1)
    assert (window["chan"], sorted(window["analysis"])) == (LIVE, ["predicitions", "result", "time"])
    wait_for(lambda: own.of("detection") != [], "its detection")
    assert own.of("tidzam-livestreams-out_1") == [window], "as the original told it"
    for client in (other, second):
        assert [one["chan"] for one in wait_windows(client, 1)] == ["marsh:out_1"]
        assert client.others == []


def test_what_was_heard_of_a_port_s_last_stream_is_not_told_to_its_next(
    web: WebProcess, engine: FakeEngine, analyzer: FakeAnalyzer
) -> None:
    with SocketClient(web) as client:
        client.call("audio", PCM)
        analyzer.tell_windows([told_window(LIVE, -5, start=utc_now(), late=True), told_window("marsh:out_1")])
        assert [one["chan"] for one in wait_windows(client, 1)] == ["marsh:out_1"]
        client.call("sys", {"sys": {"del_livestream": ""}})
        analyzer.tell_windows([told_window(LIVE, start=utc_now()), told_window("marsh:out_2")])
        assert [one["chan"] for one in wait_windows(client, 2)] == ["marsh:out_1", "marsh:out_2"]


def test_detections_clips_and_alerts_are_events_of_their_own(web: WebProcess, analyzer: FakeAnalyzer) -> None:
    with SocketClient(web) as client:
        subscribe(client, channels=["marsh:out_1"])
        one = heard()
        analyzer.tell_detection(heard(channel="marsh:out_2"))
        analyzer.tell_detection(one)
        analyzer.events.publish("clip_kept", id=7, channel="marsh:out_1", class_path="birds")
        analyzer.events.publish("alert", rule="dead", channel="", text="a microphone is dead")
        analyzer.events.publish("clip_skipped", channel="marsh:out_1")
        analyzer.events.publish("something new", channel="marsh:out_1")
        wait_for(lambda: len(client.others) >= 3, "three events")
        told = {
            "id": one.id, "generation": 1, "channel": "marsh:out_1", "start": "2026-04-01T12:00:00.000Z",
            "end": "2026-04-01T12:00:01.500Z", "class_path": "birds-crow", "score": 0.75,
        }  # fmt: skip
        assert client.others == [
            ("detection", told),
            ("clip_kept", {"id": 7, "channel": "marsh:out_1", "class_path": "birds"}),
            ("alert", {"rule": "dead", "channel": "", "text": "a microphone is dead"}),
        ]


def test_alarms_of_the_disk_are_told_to_operators_without_our_folders(
    web: WebProcess, analyzer: FakeAnalyzer, others: ExitStack
) -> None:
    roles = (None, Role.LABEL, Role.OPERATE, Role.OWN)
    clients = [others.enter_context(SocketClient(web, role and web.token(role))) for role in roles]
    analyzer.events.publish("disk_alarm", state="full", reason=f"{web.home}/spool is full", free_mb=3)
    analyzer.events.publish("alert", channel="")
    for client in clients:
        wait_for(lambda client=client: client.of("alert") != [], "what comes after it")
    told = [client.of("disk_alarm") for client in clients]
    assert told[:2] == [[], []]
    assert told[2] == told[3] == [{"state": "full", "reason": "HOME/spool is full", "free_mb": 3}]


def test_classes_are_told_as_the_original_told_them(web: WebProcess, analyzer: FakeAnalyzer) -> None:
    with SocketClient(web) as client:
        asked = {"sys": {"classifier": {"list": ""}}}
        answer = {"sys": {"classifier": {"list": list(CLASSES)}}}
        assert client.ask(asked) == answer
        assert client.call("sys", asked) == answer
        for wrong in ("", {}, {"list": 5}, {"list": "", "more": ""}):
            assert "error" in client.ask({"sys": {"classifier": wrong}})


def test_an_analyzer_that_is_away_is_said_and_results_go_on_when_it_is_back(own_home: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home) as web, SocketClient(web) as client:
        assert "analyzer" in client.ask({"sys": {"classifier": {"list": ""}}})["error"]
        for number in (1, 2):
            with FakeAnalyzer(own_home) as analyzer:
                analyzer.wait_followed()
                analyzer.tell_windows([told_window(after_s=number)])
                wait_windows(client, number)
        assert [one["analysis"]["time"][17:19] for one in client.windows] == ["01", "02"]
    assert MORNING.second == 0
