"""Faults under the settings that a site has: noticed within 30 s, healed within 10 s after the server behaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from streamer.engine.graph import ClockGraph
from streamer.engine.rings import RingFolder
from streamer.engine.sources import SourceManager
from tests.streamer.sources.site_under_test import Site
from tests.streamer.sources.test_faults import FAULTS, HEALED_S, NOTICED_S, Endless, is_lossless
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Healthy
from tests.support.waiting import wait_for
from tidzam_platform.settings import Settings, SourcesSettings

KINDS = ("resets", "404", "garbage", "half a page", "dribbles", "stalls")
OF_EACH = 2
LONG_BROKEN = 5  # failures in a row: from then on the waits are drawn from the whole range


@pytest.fixture
def default_site(ring_folder: RingFolder, graph: ClockGraph, home: Settings) -> Iterator[Site]:
    """A manager whose settings are the defaults, but for loopback."""
    settings = home.model_copy(update={"sources": SourcesSettings(private_addresses=True)})
    made = Site(lambda **more: SourceManager(graph, ring_folder, settings, **more))
    yield made
    made.close()


@pytest.mark.long
def test_with_the_default_settings_faults_are_noticed_in_time_and_heal_in_time(
    default_site: Site,
    server: FaultyStreamServer,
    endless: Endless,
    record_property: Callable[[str, object], None],
) -> None:
    site, media = default_site, endless(400)
    names = {kind: [f"{kind.replace(' ', '-')}-{number}" for number in range(OF_EACH)] for kind in KINDS}
    every = [name for kind in KINDS for name in names[kind]]
    for name in [*every, "other"]:
        server.behave(f"/{name}", Healthy(media))
        site.add(name, url=server.url(f"/{name}"), is_permanent=True)
    for name in [*every, "other"]:
        site.wait_until_it_sounds(name, 60)
    broken_s = time.monotonic()
    for kind in KINDS:
        for name in names[kind]:
            server.behave(f"/{name}", FAULTS[kind](media))
    noticed_s = seconds_until(every, lambda name: site.state(name) != "playing", broken_s, 2 * NOTICED_S)
    # Those that fail at once have long been broken when they behave again; those that hang have failed by then.
    quick = [name for kind in KINDS[:4] for name in names[kind]]
    wait_for(
        lambda: all(site.count(name, "failures_in_a_row") >= LONG_BROKEN for name in quick), "failures", 120
    )
    wait_for(lambda: all(site.count(name, "starts") >= 2 for name in every), "all are tried again", 120)
    healed_s: dict[str, float] = {}
    for kind in KINDS:  # those that hang are the last: they must not keep the others from healing
        behaves_s = time.monotonic()
        for name in names[kind]:
            server.behave(f"/{name}", Healthy(media))
        healed_s |= seconds_until(names[kind], site.sounds, behaves_s, 4 * HEALED_S)
    record_property("noticed_s", noticed_s)
    record_property("healed_s", healed_s)
    print("noticed", noticed_s, "healed", healed_s)
    assert max(noticed_s.values()) < NOTICED_S
    assert max(healed_s.values()) < HEALED_S
    assert is_lossless(site, "other")
    assert site.manager.slots.most_taken <= SourcesSettings().starts_at_once


def seconds_until(
    names: list[str], is_so: Callable[[str], bool], since_s: float, deadline_s: float
) -> dict[str, float]:
    """For each name how long after ``since_s`` it was so for the first time."""
    seconds: dict[str, float] = {}

    def all_are() -> bool:
        for name in names:
            if name not in seconds and is_so(name):
                seconds[name] = round(time.monotonic() - since_s, 2)
        return len(seconds) == len(names)

    wait_for(all_are, "all", deadline_s)
    return seconds
