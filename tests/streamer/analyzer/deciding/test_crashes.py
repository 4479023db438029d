"""kill -9 while windows are written to the spool and while they are heard: in the end each detection is stored once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.analyzer.asking import Spool
from streamer.analyzer.deciding import DetectionJournal, DetectionStore
from tests.streamer.analyzer.asking.made import Name
from tests.streamer.analyzer.deciding.analyzer_process import CHANNELS, SETTINGS, WINDOWS, made_site
from tests.streamer.analyzer.deciding.made import by_identity, straight
from tests.streamer.analyzer.deciding.test_detection_store import detection
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections


@contextmanager
def process(folder: Path, part: str, crash_at: str = "") -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.streamer.analyzer.deciding.analyzer_process", str(folder), part],
        env={**os.environ, "TIDZAM_CRASH_AT": crash_at},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def killed_after(running: subprocess.Popen[str], lines: int) -> bool:
    """Let it print so many lines, then kill it; whether it was done before."""
    assert running.stdout is not None
    for number, line in enumerate(running.stdout):
        if line == "done\n":
            assert running.wait() == 0
            return True
        if number >= lines:
            running.send_signal(signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL
            return False
    return False  # it was killed at a point of its own


def waiting(folder: Path) -> set[Name]:
    spool = Spool(folder / "spool", 256)
    spans = spool.recovered()
    spool.close()
    return {
        (span.run, span.number, frame)
        for span in spans
        for frame in range(span.first_frame, span.last_frame + 1, 1000)
    }


def written(folder: Path) -> set[Name]:
    """All windows in the spool, by a process that nobody disturbs."""
    with process(folder, "write") as running:
        assert running.stdout is not None
        assert running.stdout.read().endswith("done\n")
    names = waiting(folder)
    assert names == set(made_site().names())
    return names


def expected_of(names: set[Name]) -> list[Detection]:
    site = made_site()
    found = []
    for number in range(1, CHANNELS + 1):
        indices = [frame // 1000 for _, channel, frame in names if channel == number]
        found += straight(site, number, indices, SETTINGS.decision)[1]
    return by_identity(found)


def stored(folder: Path) -> list[Detection]:
    catalog = Catalog.open(f"sqlite:///{folder / 'catalog.db'}")
    found = LiveDetections(catalog).newest(100_000)
    catalog.close()
    return by_identity(found)


def require_nothing_left(folder: Path) -> None:
    assert [path.name for path in (folder / "spool").iterdir()] == ["lock"]


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.long)])
def test_killed_again_and_again_while_it_drains_each_detection_is_stored_once(
    tmp_path: Path, kills: int
) -> None:
    expected = expected_of(written(tmp_path))
    assert len(expected) > 20
    chance, partly = random.Random(kills), 0  # noqa: S311 - no secret
    for _ in range(kills):
        with process(tmp_path, "drain") as running:
            if killed_after(running, chance.randint(10, 30)):
                break
        partly += 0 < len(waiting(tmp_path)) < CHANNELS * WINDOWS
    assert partly, "some were killed in the middle"
    with process(tmp_path, "drain") as running:
        assert killed_after(running, 10**9)
    assert stored(tmp_path) == expected
    require_nothing_left(tmp_path)


@pytest.mark.parametrize("nth", [1, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("point", ["journaled", "stored"])
def test_killed_between_journal_catalog_and_spool_each_detection_is_stored_once(
    tmp_path: Path, point: str, nth: int
) -> None:
    expected = expected_of(written(tmp_path))
    with process(tmp_path, "drain", f"analyzer.detections.{point}:{nth}") as running:
        assert not killed_after(running, 10**9)
        assert running.wait() == -signal.SIGKILL
    assert set(stored(tmp_path)) <= set(expected)
    with process(tmp_path, "drain") as running:
        assert killed_after(running, 10**9)
    assert stored(tmp_path) == expected
    require_nothing_left(tmp_path)


def test_killed_while_it_writes_all_that_was_written_is_heard_and_stored_once(tmp_path: Path) -> None:
    with process(tmp_path, "write") as running:
        assert not killed_after(running, 100)
    names = waiting(tmp_path)
    assert CHANNELS < len(names) < CHANNELS * WINDOWS
    for number in range(1, CHANNELS + 1):
        frames = sorted(frame for _, channel, frame in names if channel == number)
        assert frames == list(range(0, len(frames) * 1000, 1000)), "from the first on, without a gap"
    with process(tmp_path, "drain") as running:
        assert killed_after(running, 10**9)
    assert stored(tmp_path) == expected_of(names)
    require_nothing_left(tmp_path)


WAITS = """
import sys, time
from pathlib import Path
from streamer.analyzer.deciding import DetectionJournal, DetectionStore
from tests.streamer.analyzer.deciding.test_detection_store import detection
from tidzam_platform.catalog import Catalog
folder = Path(sys.argv[1])
store = DetectionStore(Catalog.open(f"sqlite:///{folder / 'catalog.db'}"), DetectionJournal(folder / "journal"))
store.start()
for number in range(300):
    store.add(detection(number))
while store.status()["journaled"] < 300:
    time.sleep(0.01)
print("waiting", flush=True)
time.sleep(60)
"""


def test_killed_while_the_catalog_is_locked_what_waits_is_stored_once_by_the_next_start(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    Catalog.open(url).close()
    lock = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "waiting\n"
        finally:
            running.kill()
    lock.close()
    catalog = Catalog.open(url)
    assert LiveDetections(catalog).count() == 0
    for recovered, new in ((300, 300), (0, 0)):
        journal = DetectionJournal(tmp_path / "journal")
        store = DetectionStore(catalog, journal)
        store.start()
        assert store.stop()
        journal.close()
        assert (store.counts()["recovered"], store.counts()["stored"]) == (recovered, new)
    catalog.close()
    assert stored(tmp_path) == by_identity(map(detection, range(300)))
