"""Samples on their way to a web process: the live stream is closed in order, a broken connection is told of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.capture import Captured, send
from streamer.capture.microphone import BLOCK_S
from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.errors import DecodingError, EngineUnavailableError, TidzamError

pytestmark = pytest.mark.timeout(120)

BLOCK = b"\x01\x00" * round(BLOCK_S * 48_000)
Site = tuple[FakeEngine, WebProcess]


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("sender")
    with FakeEngine(home) as engine, WebProcess(home) as web:
        yield engine, web


@pytest.fixture
def site(shared_site: Site) -> Site:
    """An engine of which nothing was asked yet, and the web process before it."""
    engine, _ = shared_site
    wait_for(lambda: not engine.live, "the test before has left")
    engine.asked.clear()
    engine.refused_push = ""
    return shared_site


def commands(engine: FakeEngine) -> list[str]:
    """What was asked of the live streams, in order."""
    return [command for command, _ in engine.asked if command.startswith("live.")]


def test_all_blocks_arrive_and_the_stream_is_closed_when_it_returns(site: Site) -> None:
    engine, web = site
    told: list[Captured] = []
    pushed: list[int] = []

    def note(captured: Captured) -> None:
        told.append(captured)
        pushed.append(commands(engine).count("live.push"))

    sent = send([BLOCK] * 3, web.url, on_progress=note)
    assert sent == Captured("tidzam-livestreams:out_1", "", 3 * BLOCK_S, 0)
    assert all(captured is sent for captured in told)
    assert pushed == [0, 1, 2, 3], "once it is open, and after each block"
    assert commands(engine) == ["live.open", *["live.push"] * 3, "live.close"]
    assert engine.live == {}


@pytest.mark.parametrize("error", [DecodingError("it was unplugged"), KeyboardInterrupt()])
def test_what_breaks_off_closes_the_stream_first(site: Site, error: BaseException) -> None:
    engine, web = site

    def blocks() -> Iterator[bytes]:
        yield BLOCK
        raise error

    with pytest.raises(type(error)) as raised:
        send(blocks(), web.url)
    assert raised.value is error
    assert commands(engine) == ["live.open", "live.push", "live.close"]
    assert engine.live == {}


def test_what_the_engine_refuses_is_told_in_its_words(site: Site) -> None:
    engine, web = site
    engine.refused_push = "there is no room for more"
    with pytest.raises(TidzamError, match="there is no room for more"):
        send([BLOCK], web.url)


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits for an answer", "between two blocks"])
def test_a_connection_that_breaks_is_told_of_at_once(tmp_path: Path, waits: bool) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(command: str) -> None:
        if command == "live.push":
            entered.set()
            leave.wait(60)

    with FakeEngine(tmp_path) as engine, WebProcess(tmp_path) as web:
        if waits:
            engine.before = hold

        def end_it() -> None:
            assert entered.wait(60)
            web.kill()
            ended.append(time.monotonic())

        def blocks() -> Iterator[bytes]:
            for _ in range(200):
                yield BLOCK
                entered.set()
                time.sleep(0.1)

        ended: list[float] = []
        ending = threading.Thread(target=end_it)
        ending.start()
        try:
            with pytest.raises(EngineUnavailableError, match=r"the connection to http://.* broke"):
                send(blocks(), web.url)
            told_s = time.monotonic()
        finally:
            leave.set()
            ending.join(60)
        assert told_s - ended[0] < 5.0


def test_proxies_of_the_environment_are_not_asked_for_this_machine(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, web = site
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    assert send([BLOCK], web.url).seconds == BLOCK_S
