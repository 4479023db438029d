"""The spool leaves room on the disk: below the reserve it grows no more."""

from __future__ import annotations

from pathlib import Path

from streamer.analyzer.asking import Spool
from tests.streamer.analyzer.asking.made import Site, Told, names_of, run_of

SEGMENT = 40_000
RESERVE = 2_000_000_000


class Disk:
    """A disk whose free space is made: what the spool takes, and what others take."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size = folder, RESERVE + 400_000

    def free(self, folder: Path) -> int:
        assert folder == self.folder
        return self.size - sum(path.stat().st_size for path in folder.iterdir())


def opened(tmp_path: Path) -> tuple[Spool, Disk]:
    folder = tmp_path / "spool"
    disk = Disk(folder)
    return Spool(folder, 100, segment_bytes=SEGMENT, reserve_bytes=RESERVE, measure=disk.free), disk


def test_it_grows_to_the_reserve_and_then_the_oldest_make_room(tmp_path: Path) -> None:
    spool, disk = opened(tmp_path)
    site, told = Site(run_of(), 2, 150), Told()
    for moment in site.moments():
        told.lose_all(spool.append(moment))
        assert disk.free(disk.folder) >= RESERVE - SEGMENT
        if told.lost:
            assert "2000 MB shall stay free" in spool.status()["problem"]
    assert told.lost
    assert sum(spool.status()["dropped"].values()) == spool.counts()["dropped"] == len(told.lost)
    came = []
    while (taken := spool.take(64)[0]) is not None:
        came += names_of(taken.keys)
    assert sorted(map(repr, came + told.lost)) == sorted(map(repr, site.names()))
    assert site.names()[-50:] == came[-50:], "the newest are there"
    spool.close()


def test_what_others_take_does_not_empty_it(tmp_path: Path) -> None:
    spool, disk = opened(tmp_path)
    site, told = Site(run_of(), 1, 60), Told()
    moments = site.moments()
    for moment in moments[:40]:
        assert spool.append(moment) == []
    bytes_then = spool.status()["bytes"]
    disk.size = RESERVE // 2
    for moment in moments[40:]:
        told.lose_all(spool.append(moment))
        assert bytes_then - 2 * SEGMENT <= spool.status()["bytes"] <= bytes_then
    assert "grows no more" in spool.status()["problem"]
    disk.size = 2 * RESERVE
    assert spool.status()["problem"] == ""
    spool.close()


def test_what_was_heard_makes_room_for_others_and_not_for_the_spool(tmp_path: Path) -> None:
    spool, disk = opened(tmp_path)
    site = Site(run_of(), 1, 40)
    moments = site.moments()
    for moment in moments[:30]:
        assert spool.append(moment) == []
    disk.size = RESERVE // 2
    assert spool.status()["problem"]
    while (taken := spool.take(64)[0]) is not None:
        spool.forget(taken.keys)
    assert spool.status()["bytes"] == 0
    told = Told()
    told.lose_all(spool.append(moments[30]))
    assert told.lost == names_of(moments[30].keys)
    assert "shall stay free" in next(iter(told.reasons))
    disk.size = 2 * RESERVE
    assert spool.append(moments[31]) == []
    spool.close()
