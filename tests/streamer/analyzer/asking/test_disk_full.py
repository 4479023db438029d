"""A disk that is full or cannot be written: what that costs is told, nothing raises, and later it goes on."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from streamer.analyzer.asking import Spool
from tests.streamer.analyzer.asking.made import Site, Told, name_of, run_of

# A child of its own: the limit is of a process, and SIGXFSZ would end it if Python did not ignore it.
PROGRAM = """
import resource, sys
from pathlib import Path
from tests.streamer.analyzer.asking.test_disk_full import through_a_full_disk
through_a_full_disk(Path(sys.argv[1]))
"""


def through_a_full_disk(folder: Path) -> None:
    site = Site(run_of(), 2, 40)
    spool = Spool(folder, 10)
    told = Told()
    for index, moment in enumerate(site.moments()):
        if index == 10:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
        if index == 30:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        told.lose_all(spool.append(moment))
        if index == 29:
            assert "cannot be written" in spool.status()["problem"]
    assert spool.status()["problem"] == ""
    assert told.lost, "some did not fit"
    came = []
    while (moment := spool.take(64)[0]) is not None:
        for key, row in zip(moment.keys, moment.audio, strict=True):
            assert (row == site.window(key.number, key.start_frame // 1000)).all()
        came += [name_of(key) for key in moment.keys]
    assert sorted(map(repr, came + told.lost)) == sorted(map(repr, site.names()))
    assert site.names()[-20:] == came[-20:], "it goes on when there is room"
    print(len(told.lost))


def test_what_a_full_disk_does_not_take_is_lost_and_told(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ},
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 0


def test_a_folder_that_vanished_costs_what_it_held_and_no_more(tmp_path: Path) -> None:
    site = Site(run_of(), 1, 10)
    folder = tmp_path / "spool"
    spool = Spool(folder, 0.06)  # a window a segment
    told = Told()
    moments = site.moments()
    for moment in moments[:3]:
        told.lose_all(spool.append(moment))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    told.lose_all(spool.append(moments[3]))
    assert name_of(moments[3].keys[0]) in told.lost
    moment, lost = spool.take(5)
    told.lose_all(lost)
    assert moment is None
    folder.mkdir()
    told.lose_all(spool.append(moments[4]))
    moment, lost = spool.take(5)
    assert moment is not None
    assert name_of(moment.keys[0]) == site.names()[4]
    assert sorted(map(repr, told.lost)) == sorted(map(repr, site.names()[:4]))
    spool.close()
