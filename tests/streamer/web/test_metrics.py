"""/metrics tells what is counted, in Prometheus's own format; docs/web.md lists it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from streamer.web.counting import COUNTERS, Counts
from streamer.web.metrics import GAUGES, process_metrics
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_analyzer import FakeAnalyzer, told_window
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for

MARSH = {"name": "marsh", "url": "http://example.org/marsh.ogg"}


def scrape(web: WebProcess) -> dict[tuple[str, str], float]:
    """All samples, by name and label."""
    answer = web.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_what_happens_is_counted(web: WebProcess, engine: FakeEngine) -> None:
    before = scrape(web)
    with SocketClient(web, web.token()) as client:
        client.call("audio", b"\0\0" * 100)
        client.call("sys", {"sys": {"loadsource": MARSH}})
        client.ask({"sys": {"nothing": ""}})
        web.request("GET", "/api/v1/nothing")
        now = scrape(web)
    for name, more in (
        ("audio_bytes", 200),
        ("socket_requests", 2),
        ("socket_refusals", 1),
        ("refused_requests", 1),
    ):
        key = (f"tidzam_web_{name}_total", "")
        assert now[key] - before[key] == more, name
    assert now["tidzam_web_socket_clients", ""] == before["tidzam_web_socket_clients", ""] + 1
    assert now["tidzam_web_live_streams", ""] == 1
    assert now["tidzam_web_engine_up", ""] == 1


def test_the_engine_s_counts_are_told_with_it(web: WebProcess, engine: FakeEngine) -> None:
    engine.sources["marsh"] = {"specification": MARSH, "keep": False, "owner": None}
    told = scrape(web)
    assert told["tidzam_engine_xruns_total", ""] == 2
    assert told["tidzam_engine_cycle_frames", ""] == 1024
    assert told["tidzam_engine_lost_frames_total", "channel=marsh:out_1"] == 7
    assert told["tidzam_engine_restarts_total", "source=marsh"] == 1
    assert not any("no_number" in name or " " in name for name, _ in told)


def test_the_analyzer_s_counts_are_told_with_it(web: WebProcess, analyzer: FakeAnalyzer) -> None:
    told = scrape(web)
    assert told["tidzam_web_analyzer_up", ""] == 1
    assert told["tidzam_analyzer_asking_spooled_windows", ""] == 3
    assert told["tidzam_analyzer_hearing_windows_total", "channel=marsh:out_1"] == 5
    assert told["tidzam_analyzer_detections_by_class_total", "class=birds"] == 2
    assert told["tidzam_analyzer_detections_by_channel_total", "channel=other"] == 1
    assert told["tidzam_analyzer_output_delivered_total", "output=barn"] == 4
    assert told["tidzam_analyzer_clips_skipped", "reason=rate"] == 6


def test_what_is_told_and_lost_is_counted(web: WebProcess, analyzer: FakeAnalyzer) -> None:
    before = scrape(web)
    with SocketClient(web) as client:
        analyzer.tell_windows([told_window()])
        wait_for(lambda: len(client.windows) == 1, "a window")
        analyzer.events.publish("lost", count=5)
        analyzer.tell_windows([told_window()])
        wait_for(lambda: len(client.windows) == 2, "another")
    now = scrape(web)
    more = {
        name: now[key] - before[key]
        for name in ("told_messages", "left_out_messages", "lost_events")
        if (key := (f"tidzam_web_{name}_total", ""))
    }
    assert more.pop("told_messages") >= 2  # sources may be told, too
    assert more == {"left_out_messages": 0, "lost_events": 5}


def test_without_engine_and_analyzer_they_say_so(own_home: Path) -> None:
    with WebProcess(own_home) as web:
        told = scrape(web)
    for process in ("engine", "analyzer"):
        assert told[f"tidzam_web_{process}_up", ""] == 0
        assert not any(name.startswith(f"tidzam_{process}_") for name, _ in told)


def test_every_metric_is_in_the_docs(web: WebProcess, engine: FakeEngine) -> None:
    exported = {
        family.name for family in text_string_to_metric_families(web.request("GET", "/metrics").body.decode())
    }
    documented = re.findall(
        r"^\| `(tidzam_web_\w+?)(?:_total)?` \|", Path("docs/web.md").read_text(), re.MULTILINE
    )
    ours = {f"tidzam_web_{name.removesuffix('_total')}" for name in (*COUNTERS, *GAUGES)}
    assert ours <= exported
    assert sorted(ours) == sorted(documented)
    assert {
        name
        for name in exported
        if not name.startswith(("tidzam_web_process_", "tidzam_engine_", "tidzam_analyzer_"))
    } == ours


def test_a_counter_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        Counts().add("something")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**20), 10**20) | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.text(max_size=8) | st.from_regex(r"[a-z][a-z0-9_]{0,8}(_total)?", fullmatch=True), json_values
    )
)
def test_whatever_the_engine_counts_the_page_can_be_read(counts: dict[str, object]) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    class Engine:
        def describe(self) -> list[object]:
            return []

        def collect(self) -> object:
            return process_metrics("engine", counts)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Engine())  # type: ignore[arg-type]
    text = generate_latest(registry).decode()
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("tidzam_engine_")
