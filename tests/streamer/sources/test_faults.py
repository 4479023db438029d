"""Faults of servers and children: noticed, healed, and no affair of other sources."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest

from streamer.engine.graph import ClockGraph
from streamer.engine.rings import RingFolder
from streamer.engine.sources import SourceManager, SourceState
from tests.streamer.sources.site_under_test import Site
from tests.support.endless_media import EndlessFrames, EndlessOgg
from tests.support.faulty_stream_server import Behaviour, FaultyStreamServer
from tests.support.stream_behaviours import (
    Dribble,
    Garbage,
    HalfPage,
    Healthy,
    Reset,
    SlowHeaders,
    Stall,
    Status,
)
from tests.support.waiting import wait_for
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings

Endless = Callable[..., EndlessOgg]
NOTICED_S = 30.0
HEALED_S = 10.0

FAULTS: dict[str, Callable[[EndlessOgg], Behaviour]] = {
    "stalls": lambda _media: Stall(),
    "resets": lambda _media: Reset(),
    "dribbles": lambda media: Dribble(media, bytes_at_a_time=60, every_s=0.3),
    "404": lambda _media: Status("404 Not Found"),
    "500": lambda _media: Status("500 Internal Server Error"),
    "garbage": lambda _media: Garbage(),
    "half a page": HalfPage,
    "headers without end": lambda _media: SlowHeaders(),
}


def is_lossless(site: Site, name: str) -> bool:
    """Whether nothing of a source was lost: it was not restarted, nothing was dropped, nothing silent was played."""
    counts = site.manager.status(name)["counts"]
    return bool(
        counts["starts"] == 1
        and not counts["underflow_frames"]
        and not counts["overflow_frames"]
        and not counts["rebuffers"]
    )


def has_begun(site: Site, name: str, times: int) -> bool:
    return site.count(name, "starts") >= times


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed_and_heals_and_others_lose_nothing(
    site: Site, server: FaultyStreamServer, endless: Endless, fault: str
) -> None:
    media = endless(400)
    server.behave("/a", Healthy(media))
    server.behave("/b", Healthy(endless(800)))
    site.add("faulty", url=server.url("/a"), is_permanent=True)
    site.add("other", url=server.url("/b"), is_permanent=True)
    site.wait_until_it_sounds("faulty")
    site.wait_until_it_sounds("other")
    server.behave("/a", FAULTS[fault](media))
    site.wait_for_state("faulty", "backing_off", deadline_s=NOTICED_S)
    assert site.manager.status("faulty")["last_failure"]
    wait_for(lambda: site.count("faulty", "starts") >= 2, "it is tried again", NOTICED_S)
    server.behave("/a", Healthy(media))
    site.wait_until_it_sounds("faulty", HEALED_S)
    assert [round(hz, -2) for hz in site.heard_hz("faulty")] == [400]
    assert is_lossless(site, "other")
    assert len(site.ears.opened) == 2, "the ring and the ports of the faulty one stay"


def test_a_stream_that_becomes_another_format_on_the_same_connection_is_followed(
    site: Site, server: FaultyStreamServer, endless: Endless, tone_bytes: Callable[..., bytes]
) -> None:
    server.behave("/a", Healthy(endless(400)))
    server.behave("/b", Healthy(endless(800)))
    site.add("changing", url=server.url("/a"), is_permanent=True)
    site.add("other", url=server.url("/b"), is_permanent=True)
    site.wait_until_it_sounds("changing")
    site.wait_until_it_sounds("other")
    mp3 = EndlessFrames(tone_bytes("mp3", 1600), 2.0, "audio/mpeg")
    server.behave("/a", Healthy(mp3, in_place=True))
    wait_for(lambda: site.count("changing", "starts") >= 2, "it is noticed", NOTICED_S)
    site.wait_until_it_sounds("changing", HEALED_S)
    wait_for(
        lambda: [round(hz, -2) for hz in site.heard_hz("changing")] == [1600],
        "the new one is heard",
        HEALED_S,
    )
    assert site.manager.status("changing")["details"]["container"] == "mp3"
    assert is_lossless(site, "other")


def test_a_stream_that_comes_back_with_more_channels_has_more_ports(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    server.behave("/a", Healthy(endless(400)))
    site.add("growing", url=server.url("/a"), is_permanent=True)
    site.wait_until_it_sounds("growing")
    server.behave("/a", Healthy(endless(800, 1600, 3200)))
    wait_for(lambda: len(site.ears.ports["growing"]) == 3, "it has three ports")
    site.wait_until_it_sounds("growing")
    assert [round(hz, -2) for hz in site.heard_hz("growing")] == [800, 1600, 3200]
    assert site.ears.opened == [("growing", 1), ("growing", 3)]
    assert site.ears.closed == ["growing"]


def test_a_decoder_that_is_killed_is_started_again(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    server.behave("/a", Healthy(endless(400)))
    server.behave("/b", Healthy(endless(800)))
    site.add("killed", url=server.url("/a"), is_permanent=True)
    site.add("other", url=server.url("/b"), is_permanent=True)
    for starts in (2, 3):
        site.wait_until_it_sounds("killed")
        os.kill(site.manager.status("killed")["details"]["decoder_pid"], signal.SIGKILL)
        wait_for(functools.partial(has_begun, site, "killed", starts), "it is started again", HEALED_S)
    site.wait_until_it_sounds("killed", HEALED_S)
    assert "SIGKILL" in site.manager.status("killed")["last_failure"]
    assert len(site.ears.rings["killed"].anchors_kept()) == 3, "each start has its own time"
    assert is_lossless(site, "other")


def test_many_that_fail_together_come_back_with_jitter_and_no_more_at_once_than_the_limit(
    ring_folder: RingFolder,
    graph: ClockGraph,
    settings: Settings,
    server: FaultyStreamServer,
    endless: Endless,
) -> None:
    number, limit = 20, 3
    few = settings.model_copy(
        update={
            "sources": settings.sources.model_copy(
                update={"starts_at_once": limit, "backoff_max_s": 2.0, "no_samples_s": 5.0}
            )
        }
    )
    site = Site(lambda **more: SourceManager(graph, ring_folder, few, **more))
    names = [f"site-{index}" for index in range(number)]
    try:
        server.behave("/", Healthy(endless(400)))
        for name in names:
            site.add(name, url=server.url(f"/{name}"), is_permanent=True)
        for name in names:
            site.wait_for_state(name, "playing", deadline_s=60)
        server.behave("/", Reset())
        wait_for(lambda: all(site.count(name, "starts") >= 2 for name in names), "all are tried again", 60)
        server.behave("/", Healthy(endless(400)))
        behaves_s = time.monotonic()
        for name in names:
            site.wait_for_state(name, "playing", deadline_s=60)
        assert time.monotonic() - behaves_s < 30
        assert site.manager.slots.most_taken <= limit
        steps = sorted(
            (step["utc"], step["after"] == SourceState.STARTING)
            for name in names
            for step in site.manager.status(name)["history"]
            if SourceState.STARTING in (step["after"], step["before"])
        )
        begun = [utc for utc, begins in steps if begins]
        assert len(set(begun[number:])) > number // 2, "they come back one by one"
    finally:
        site.close()


def test_one_that_is_not_permanent_fails_with_a_reason(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    server.behave("/gone", Status("404 Not Found"))
    site.add("gone", url=server.url("/gone"))
    with pytest.raises(SourceError, match="404"):
        site.manager.wait_begun("gone", 20)
    assert site.state("gone") == "failed"
    server.behave("/a", Healthy(endless(400)))
    site.add("marsh", url=server.url("/a"))
    site.wait_until_it_sounds("marsh")
    server.behave("/a", Reset())
    site.wait_for_state("marsh", "failed")
    assert site.states("marsh").count("starting") == 3, "it was tried again twice"
    assert site.ears.ports["marsh"] == ()


def test_a_permanent_one_is_never_given_up_and_warns(site: Site, server: FaultyStreamServer) -> None:
    server.behave("/a", Status("503 Service Unavailable"))
    site.add("marsh", url=server.url("/a"), is_permanent=True)
    wait_for(lambda: site.count("marsh", "failures_in_a_row") > 6, "it fails again and again", 60)
    (warning,) = site.told("source_warning", source="marsh")
    assert "5 times in a row" in warning["reason"]
    assert "503" in warning["reason"]
    assert site.state("marsh") in ("backing_off", "waiting", "starting")


def test_what_no_waiting_mends_is_tried_more_rarely(site: Site) -> None:
    waits_s = []
    for number in range(8):
        name = f"secret-{number}"
        site.add(name, path="/etc/hostname", is_permanent=True)
        site.wait_for_state(name, "backing_off")
        reason = str(site.manager.status(name)["reason"])
        assert "may be played" in reason
        waits_s.append(float(reason.rpartition("again in ")[2].split()[0]))
    assert max(waits_s) > 0.5, "the first wait of a fault that may pass is half a second at most"


def test_silence_of_exact_zeros_is_told_and_ends(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    site.add("desk", live=True)
    site.wait_for_state("desk", "playing")
    zeros = bytes(2 * 24_000)
    for _ in range(12):
        site.manager.push("desk", zeros, 48_000)
        time.sleep(0.02)
    wait_for(lambda: site.manager.status("desk")["silent"], "it is said to be silent")
    assert site.told("source_silent", source="desk", silent=True)
    noise = (np.random.default_rng(1).standard_normal(24_000) * 1000).astype("<i2").tobytes()
    site.manager.push("desk", noise, 48_000)
    wait_for(lambda: not site.manager.status("desk")["silent"], "it sounds again")
    assert site.told("source_silent", source="desk", silent=False)


def test_all_end_at_once_while_servers_hang(
    ring_folder: RingFolder,
    graph: ClockGraph,
    settings: Settings,
    server: FaultyStreamServer,
    endless: Endless,
) -> None:
    site = Site(lambda **more: SourceManager(graph, ring_folder, settings, **more))
    server.behave("/hangs", Stall())
    server.behave("/gone", Status())
    server.behave("/a", Healthy(endless(400)))
    for index, path in enumerate(itertools.islice(itertools.cycle(("/hangs", "/gone", "/a")), 9)):
        site.add(f"site-{index}", url=server.url(path), is_permanent=True)
    site.wait_for_state("site-2", "playing", deadline_s=60)
    begun_s = time.monotonic()
    site.close()
    assert time.monotonic() - begun_s < 5
