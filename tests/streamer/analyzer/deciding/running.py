"""A decider that runs, and windows that sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamer.analyzer.deciding import Decider
from streamer.analyzer.deciding import decider as decider_module
from tests.streamer.analyzer.asking.made import Site, run_of
from tests.streamer.analyzer.deciding.made import Decisions, described, made_sounds
from tidzam_platform.settings import DecisionSettings

SETTINGS = DecisionSettings()
WINDOWS = 60


@contextmanager
def deciding(
    told: Decisions, decision: DecisionSettings = SETTINGS, held_bytes: int = decider_module.HELD_BYTES
) -> Iterator[Decider]:
    decider = Decider(
        decision, described, told.on_results, told.on_detection, told.on_settled, held_bytes=held_bytes
    )
    decider.start()
    try:
        yield decider
    finally:
        told.gate.set()
        assert decider.stop()


def sounding(seed: int = 1, windows: int = WINDOWS, channels: int = 2) -> Site:
    site = Site(run_of(), channels, windows)
    made_sounds(site, seed)
    return site


def all_of(site: Site) -> list[tuple[int, int]]:
    return [(number, index) for index in range(site.windows) for number in range(1, site.channels + 1)]
