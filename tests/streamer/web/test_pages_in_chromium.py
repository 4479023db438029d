"""The pages as people see them, in Debian's chromium with its made microphone."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.audio.made import encode, tones
from tests.streamer.web.web_process import WebProcess
from tests.support.chromium import Page, opened_page
from tests.support.fake_analyzer import FakeAnalyzer, told_window
from tests.support.fake_engine import FakeEngine
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.clock import utc_now

STATE = "document.getElementById('state').value"


def click(name: str) -> str:
    return f"document.getElementById('{name}').click()"


def test_a_microphone_is_heard_until_it_is_stopped(web: WebProcess, engine: FakeEngine) -> None:
    with opened_page(f"{web.url}/capture") as page:
        page.value(click("start"))
        page.wait_for(f"{STATE}.startsWith('heard as tidzam-livestreams:out_')")
        wait_for(
            lambda: sum(len(stream["pcm"]) for stream in engine.live.values()) > 200_000, "two seconds of it"
        )
        (stream,) = list(engine.live.values())
        samples = np.frombuffer(bytes(stream["pcm"]), "<i2")
        assert np.abs(samples.astype(int)).max() > 1000, "chromium's microphone beeps"
        assert stream["rate_hz"] == page.value("new AudioContext().sampleRate")
        assert page.value("Number(document.getElementById('dropped').textContent)") == 0
        page.value(click("stop"))
        page.wait_for(f"{STATE} === 'stopped'")
        wait_for(lambda: engine.live == {}, "it is closed")
        page.value(click("start"))
        page.wait_for(f"{STATE}.startsWith('heard as')")
        assert page.said == []
    wait_for(lambda: engine.live == {}, "a page that is closed is gone")


def test_what_a_microphone_is_heard_as_is_shown(
    web: WebProcess, engine: FakeEngine, analyzer: FakeAnalyzer
) -> None:
    with opened_page(f"{web.url}/capture") as page:
        page.value(click("start"))
        page.wait_for(f"{STATE}.startsWith('heard as tidzam-livestreams:out_1')")
        wait_for(lambda: engine.live != {}, "it is heard")
        analyzer.tell_windows([told_window("marsh:out_1", heard="rain")])
        analyzer.tell_windows([told_window("tidzam-livestreams:out_1", start=utc_now())])
        page.wait_for("document.getElementById('heard').textContent === 'birds-american crow'")
        assert page.said == []


def test_keeping_a_recording_wants_a_token_that_may(web: WebProcess, engine: FakeEngine) -> None:
    with opened_page(f"{web.url}/capture") as page:
        page.value(click("storage"))
        page.value(click("start"))
        page.wait_for(f"{STATE}.includes('role label')")
        assert engine.live == {}
        page.value(f"document.getElementById('token').value = '{web.token(Role.LABEL)}'")
        page.value(click("start"))
        page.wait_for(f"{STATE}.includes('kept as unchecked/')")
        wait_for(lambda: any(stream["storage"] for stream in engine.live.values()), "it is kept")


def test_a_wrong_token_is_told(web: WebProcess, engine: FakeEngine) -> None:
    with opened_page(f"{web.url}/capture") as page:
        page.value("document.getElementById('token').value = 'wrong'")
        page.value(click("start"))
        page.wait_for(f"{STATE}.startsWith('refused: ')")
        assert page.value("document.getElementById('start').disabled") is False


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[str]:
    """An HTTP server with one tone at every address, as Icecast would have it; its address."""
    require_part("ffmpeg")
    tone = encode(
        tones([700.0], 30.0, rate_hz=48_000), tmp_path / "tone.opus", "opus", rate_hz=48_000
    ).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "audio/ogg")
            self.send_header("Content-Length", str(len(tone)))
            self.end_headers()
            self.wfile.write(tone)

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{{}}-out_{{}}.opus"
        server.shutdown()
        thread.join()


def hear_until(page: Page, analyzer: FakeAnalyzer, heard: str, condition: str) -> None:
    """Let the analyzer tell a class, as often as it takes until the page follows it."""

    def is_shown() -> bool:
        analyzer.tell_windows([told_window(heard=heard), told_window("marsh:out_2", late=True)])
        return bool(page.value(condition))

    wait_for(is_shown, condition)


def test_channels_are_listed_with_levels_and_what_is_heard_and_played(own_home: Path, mounts: str) -> None:
    port = mounts.rpartition(":")[2].partition("/")[0]
    with (
        FakeEngine(own_home) as engine,
        FakeAnalyzer(own_home) as analyzer,
        WebProcess(own_home, icecast__port=port) as web,
    ):
        engine.mount, engine.why = mounts, "<b>not</b> markup"
        engine.sources["marsh"] = {"specification": {"name": "marsh"}, "keep": False, "owner": None}
        with opened_page(f"{web.url}/listen") as page:
            page.wait_for("document.querySelectorAll('tr[data-channel]').length === 2")
            assert page.value("document.querySelector('tr[data-channel] meter').value") == -20
            assert "<b>not</b> markup" in page.value("document.querySelector('tr[data-channel]').innerText")
            first = "document.querySelector('tr[data-channel=\"marsh:out_1\"] .heard').textContent"
            analyzer.wait_followed()
            hear_until(page, analyzer, "birds-american_crow", f"{first} === 'birds-american crow'")
            hear_until(page, analyzer, "unknown", f"{first} === 'unknown'")
            other = first.replace("out_1", "out_2")
            assert page.value(other) == "", "nothing was heard there"
            page.wait_for(f"{first} === ''")  # what was heard then is not heard now
            play = "document.querySelector('tr[data-channel=\"marsh:out_2\"] button')"
            page.value(f"{play}.click()")
            page.wait_for("document.getElementById('player').currentTime > 0.3")
            page.wait_for(f"{play}.textContent === 'stop'")
            page.value(f"{play}.click()")
            page.wait_for("document.getElementById('player').paused")
            assert page.said == []
            del engine.sources["marsh"]
            page.wait_for("document.querySelectorAll('tr[data-channel]').length === 0")
