"""A real model server stands still, or is killed, while windows come in real time: none is lost, none told twice."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from serving.client import ModelClient
from serving.repository import ModelRepository
from tests.serving.client.stopping import stopped
from tests.streamer.analyzer.asking.made import Site, assert_in_order, name_of, run_of
from tests.streamer.analyzer.deciding.analyzing import Analyzing, analyzing
from tests.support.model_server import ModelServerProcess
from tests.support.waiting import wait_for
from tidzam_platform.settings import Settings

CHANNELS, HOP_S = 8, 0.125
SETTINGS = Settings.model_validate(
    {"analyzer": {"max_behind_s": 0.5}, "decision": {"events": {"on_threshold": 0, "off_threshold": 0}}}
)
RESUME_S = 20.0  # a machine that does other things too
MEMORY_BYTES = 150 << 20
START_S = 180.0


@contextmanager
def heard_in_real_time(made: Analyzing, seconds: float) -> Iterator[Site]:
    """Moments come as they would from microphones until the context ends."""
    site = Site(run_of(), CHANNELS, round(seconds / HOP_S))
    ends = threading.Event()
    began_s = time.monotonic()

    def play() -> None:
        for number, moment in enumerate(site.moments(), 1):
            made.submit(moment)
            site.windows = number
            if ends.wait(max(0.0, began_s + number * HOP_S - time.monotonic())):
                return

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield site
    finally:
        ends.set()
        thread.join(10)


def live(made: Analyzing) -> int:
    return sum(not result.was_spooled for result in list(made.told.results))


def through(folder: Path, client: ModelClient, outage: Callable[[Analyzing], None]) -> None:
    """Hear, have an outage, hear on; then look at what was told."""
    process = psutil.Process()
    with analyzing(folder, lambda: client, SETTINGS) as made:
        with heard_in_real_time(made, 300) as site:
            wait_for(lambda: live(made) > 4 * CHANNELS, "windows are heard", RESUME_S)
            before_bytes = process.memory_info().rss
            outage(made)
            heard = live(made)
            wait_for(lambda: live(made) > heard + 4 * CHANNELS, "live windows are heard again", RESUME_S)
        windows = site.windows * CHANNELS
        wait_for(lambda: made.decider.counts()["windows"] >= windows, "all are told", 60)
        assert process.memory_info().rss < before_bytes + MEMORY_BYTES
        made.decider.end(site.run)
        wait_for(lambda: made.spool.status()["bytes"] == 0, "all are settled and stored", 30)
        assert made.asker.status()["away_since"] is None
    assert made.lost == []
    names = made.told.names
    assert len(names) == len(set(names)) == windows
    late = [name_of(result.key) for result in made.told.results if result.was_spooled]
    assert len(late) > CHANNELS
    assert_in_order(late)
    assert_in_order([name_of(result.key) for result in made.told.results if not result.was_spooled])
    assert len({one.id for one in made.told.detections}) == len(made.told.detections)


@pytest.mark.parametrize("stopped_s", [4.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_a_server_that_stands_still_for_a_while(
    tmp_path: Path, model_server: tuple[ModelServerProcess, str], stopped_s: float
) -> None:
    process, address = model_server

    def outage(made: Analyzing) -> None:
        with stopped(process):
            time.sleep(stopped_s)
            wait_for(lambda: made.spool.status()["waiting_windows"] > CHANNELS, "windows wait on disk")
            assert made.asker.status()["away_since"] or made.asker.counts()["to_spool"]

    with ModelClient(address) as client:
        through(tmp_path, client, outage)


@pytest.mark.long
def test_a_server_that_is_killed_and_started_again(tmp_path: Path, exported: Callable[[int], Path]) -> None:
    home = tmp_path / "home"
    repository = ModelRepository(home / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    with ModelServerProcess(home) as first:
        address = first.wait_ready(START_S)["address"]
        with ModelClient(address) as client:
            second: list[ModelServerProcess] = []

            def outage(_: Analyzing) -> None:
                first.kill()
                second.append(ModelServerProcess(home, port=int(address.rpartition(":")[2])))
                second[0].wait_ready(START_S)

            try:
                through(tmp_path, client, outage)
            finally:
                for process in second:
                    process.stop()
