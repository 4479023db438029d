"""A disk that fails while the spool is read: what passes costs nothing, what stays costs a segment and not its file."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.client.retries import RetryPolicy
from streamer.analyzer.asking import Spool
from tests.streamer.analyzer.asking.made import Site, Told, name_of, names_of, run_of
from tests.streamer.sources.clocks import Clock

PER_SEGMENT = 40_000  # bytes: a few windows of the tiny geometry
ATTEMPTS = 4


@contextmanager
def no_files_can_be_opened() -> Iterator[None]:
    """EMFILE for whoever opens one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def filled(folder: Path, site: Site, clock: Clock) -> Spool:
    again = RetryPolicy(max_attempts=ATTEMPTS, first_delay_s=1, longest_delay_s=8)
    spool = Spool(folder, 10, segment_bytes=PER_SEGMENT, monotonic=clock.monotonic, read_again=again)
    for moment in site.moments():
        assert spool.append(moment) == []
    assert spool.status()["segments"] > 2
    return spool


def all_taken(spool: Spool, told: Told) -> list[object]:
    names: list[object] = []
    while (taken := spool.take(64))[0] is not None:
        told.lose_all(taken[1])
        names += [name_of(key) for key in taken[0].keys]
    told.lose_all(taken[1])
    return names


def test_a_fault_that_passes_costs_nothing(tmp_path: Path, clock: Clock) -> None:
    site, told = Site(run_of(), 1, 30), Told()
    spool = filled(tmp_path / "spool", site, clock)
    with no_files_can_be_opened():
        for failures in range(1, ATTEMPTS):
            assert spool.take(64) == (None, [])
            assert spool.take(64) == (None, []), "not at once again"
            assert spool.counts()["read_failures"] == failures
            clock.pass_s(10)
        assert "is tried again" in spool.status()["problem"]
    assert all_taken(spool, told) == site.names()
    assert told.lost == []
    assert spool.status()["problem"] == ""
    assert spool.counts()["set_aside"] == 0
    spool.close()


def test_a_fault_that_stays_sets_the_file_aside_and_the_others_are_heard(
    tmp_path: Path, clock: Clock
) -> None:
    site, told = Site(run_of(), 1, 30), Told()
    folder = tmp_path / "spool"
    spool = filled(folder, site, clock)
    first = min(folder.glob("*.windows"))
    bytes_before = first.read_bytes()
    with no_files_can_be_opened():
        for _ in range(ATTEMPTS):
            told.lose_all(spool.take(64)[1])
            clock.pass_s(10)
    assert told.lost == site.names()[: len(told.lost)]
    assert 0 < len(told.lost) < len(site.names())
    assert all_taken(spool, told) == site.names()[len(told.lost) :]
    aside = first.with_suffix(".unreadable")
    assert aside.read_bytes() == bytes_before
    assert spool.counts()["set_aside"] == spool.status()["set_aside"] == 1
    assert spool.status()["dropped"] == {"marsh:out_1": len(told.lost)}
    spool.forget(site.key(1, index) for index in range(30))
    assert spool.status()["bytes"] == len(bytes_before), "it counts until somebody removes it"
    spool.close()

    again = Spool(folder, 10)
    assert again.status()["set_aside"] == 1
    assert again.recovered() == []
    again.close()
    aside.rename(first)  # the disk is well again
    last = Spool(folder, 10)
    moment, lost = last.take(64)
    assert lost == []
    assert moment is not None
    assert names_of(moment.keys) == told.lost
    last.close()


def test_files_aside_are_the_first_to_make_room(tmp_path: Path, clock: Clock) -> None:
    site, told = Site(run_of(), 1, 60), Told()
    folder = tmp_path / "spool"
    moments = site.moments()
    spool = Spool(
        folder,
        0.2,
        monotonic=clock.monotonic,
        read_again=RetryPolicy(max_attempts=1),
    )
    for moment in moments[:10]:
        assert spool.append(moment) == []
    with no_files_can_be_opened():
        told.lose_all(spool.take(64)[1])
    aside = spool.status()["set_aside"]
    assert aside == len(list(folder.glob("*.unreadable"))) > 0
    for moment in moments[10:]:
        lost = spool.append(moment)
        assert not (lost and spool.status()["set_aside"]), "windows go after the last file aside"
        told.lose_all(lost)
        assert spool.status()["bytes"] <= spool.status()["max_bytes"]
    assert not list(folder.glob("*.unreadable"))
    assert spool.status()["set_aside"] == 0
    spool.close()
