"""Who loads a source that cannot begin is told, also when that is known only later; nobody waits for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.engine_process import EngineProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for

REFUSED = {
    "state": "failed",
    "last_failure": "example.org leads to 10.0.0.1, which is private",
    "last_failure_code": "RefusedAddressError",
    "hopeless": True,
}
BUSY = {
    "state": "backing_off",
    "last_failure": "example.org answered 503",
    "last_failure_code": "FetchError",
    "hopeless": False,
}


def load(name: str, url: str = "http://example.org/a.ogg", **more: Any) -> dict[str, Any]:
    return {"sys": {"loadsource": {"name": name, "url": url, **more}}}


def unwatched(web: WebProcess) -> float:
    lines = web.request("GET", "/metrics").body.decode().splitlines()
    (line,) = [line for line in lines if line.startswith("tidzam_web_unwatched_loads_total")]
    return float(line.split()[1])


@pytest.mark.parametrize(("fate", "said"), [(REFUSED, "10.0.0.1"), (BUSY, "tried again")])
def test_a_source_that_cannot_begin_is_a_warning_with_the_request(
    client: SocketClient, engine: FakeEngine, fate: dict[str, Any], said: str
) -> None:
    engine.fates["marsh"] = fate
    answer = client.ask(load("marsh"))
    assert sorted(answer) == ["request-origin", "warning"]
    assert answer["request-origin"] == load("marsh")
    assert fate["last_failure"] in answer["warning"]
    assert said in answer["warning"]


def test_who_loaded_it_is_told_and_nobody_else(
    web: WebProcess, client: SocketClient, engine: FakeEngine
) -> None:
    engine.fates["marsh"] = REFUSED
    with SocketClient(web, web.token()) as other:
        assert "warning" in client.ask(load("marsh"))
        assert "database" in other.ask({"sys": {"database": ""}})["sys"]
        assert len(other.told) == 1
    assert len(client.told) == 1


def test_nothing_waits_for_a_source_that_takes_long_to_begin(
    client: SocketClient, engine: FakeEngine
) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def wait(command: str) -> None:
        if command == "sources.wait":
            waiting.set()
            go_on.wait(20)

    engine.before, engine.fates["marsh"] = wait, REFUSED
    try:
        assert client.call("sys", load("marsh"))["sys"]["loadsource"]["name"] == "marsh"
        assert waiting.wait(20)
        assert "sys" in client.call("sys", {"sys": {"database": ""}})
        assert "sys" in client.call("sys", load("pond"))
        assert client.call("sys", {"sys": {"unloadsource": {"name": "pond"}}})
        assert not [told for told in client.told if "warning" in told]
    finally:
        go_on.set()
    wait_for(lambda: [told for told in client.told if "warning" in told] != [], "it is told")


def test_too_many_that_take_long_are_counted_and_others_still_answered(
    web: WebProcess, client: SocketClient, engine: FakeEngine
) -> None:
    go_on, before = threading.Event(), unwatched(web)
    engine.before = lambda command: go_on.wait(20) and None if command == "sources.wait" else None
    try:
        for number in range(18):
            assert "sys" in client.call("sys", load(f"m{number}"))
        assert unwatched(web) >= before + 2
        assert "sys" in client.call("sys", {"sys": {"database": ""}})
    finally:
        go_on.set()
    # The places are free again: the next one is watched.
    engine.fates["late"] = REFUSED

    def is_told() -> bool:
        client.call("sys", load("late"))
        return any("10.0.0.1" in told.get("warning", "") for told in client.told)

    wait_for(is_told, "it is told")


def test_addresses_that_are_refused_at_once_or_when_they_are_looked_up(own_home: Path) -> None:
    with (
        EngineProcess(own_home) as engine,
        WebProcess(own_home) as web,
        SocketClient(web, web.token()) as client,
    ):
        for host in ("127.0.0.1", "localhost"):
            for is_permanent in (False, True):
                request = load("marsh", f"http://{host}:9/a.ogg", is_permanent=is_permanent)
                answer = client.ask(request)
                assert sorted(answer) == ["request-origin", "warning"]
                assert answer["request-origin"] == request
                assert "loopback" in answer["warning"]
        assert engine.client.request("sources.get", name="marsh")["channels"] == []
