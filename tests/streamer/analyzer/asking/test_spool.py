"""The spool: windows come back as they went in, once, in order, within its bound, whatever happened to the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.analyzer.asking import Spool, WindowSpan
from streamer.analyzer.asking.spool import SEGMENT_BYTES
from streamer.analyzer.windows import Geometry, Moment
from tests.streamer.analyzer.asking.made import TINY, Name, Site, Told, assert_in_order, name_of, run_of
from tidzam_platform.errors import BusyError

PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OVERLAPPING, TOUCHING, APART = Geometry(100, 8, 3), Geometry(100, 6, 6), Geometry(100, 5, 9)
WINDOWS = 12
SITES = [
    Site(run_of("marsh", OVERLAPPING), 3, WINDOWS, seed=1),
    Site(run_of("marsh", OVERLAPPING, after_s=1000), 3, WINDOWS, seed=2),
    Site(run_of("pond", TOUCHING), 3, WINDOWS, seed=3),
    Site(run_of("lake", APART), 3, WINDOWS, seed=4),
]
BY_RUN = {site.run: site for site in SITES}
ONE_MOMENT = st.tuples(
    st.sampled_from(SITES),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, WINDOWS - 1)), min_size=1, max_size=6, unique=True),
)


def moments_once(drawn: list[tuple[Site, list[tuple[int, int]]]]) -> list[Moment]:
    """Each window at most once."""
    seen: set[Name] = set()
    moments = []
    for site, windows in drawn:
        fresh = [one for one in windows if name_of(site.key(*one)) not in seen]
        seen |= {name_of(site.key(*one)) for one in fresh}
        if fresh:
            moments.append(site.moment(fresh))
    return moments


def require_true_samples(moment: Moment) -> None:
    for key, row in zip(moment.keys, moment.audio, strict=True):
        site = BY_RUN[key.run]
        np.testing.assert_array_equal(
            row, site.window(key.number, key.start_frame // key.run.geometry.hop_frames)
        )


def taken(spool: Spool, most: int = 7) -> Iterator[Moment]:
    """All that waits; nothing may be damaged."""
    while True:
        moment, lost = spool.take(most)
        assert not lost
        if moment is None:
            return
        assert 0 < len(moment.keys) <= most
        assert len({key.run.geometry for key in moment.keys}) == 1
        require_true_samples(moment)
        yield moment


def all_taken(spool: Spool) -> list[Name]:
    return [name_of(key) for moment in taken(spool) for key in moment.keys]


@PROPERTY
@given(st.lists(ONE_MOMENT, max_size=20), st.integers(1, 9), st.sampled_from([0, 300, SEGMENT_BYTES]))
def test_windows_come_back_in_the_order_of_writing_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[Site, list[tuple[int, int]]]],
    most: int,
    segment_bytes: int,
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), 1, segment_bytes=segment_bytes)
    moments = moments_once(drawn)
    for moment in moments:
        assert spool.append(moment) == []
    came = [name_of(key) for moment in taken(spool, most) for key in moment.keys]
    assert came == [name_of(key) for moment in moments for key in moment.keys]
    assert spool.status()["waiting_windows"] == 0
    spool.close()


STEP = st.one_of(
    st.tuples(st.just("append"), ONE_MOMENT),
    st.tuples(st.just("take"), st.integers(1, 9)),
    st.tuples(st.just("confirm"), st.integers(1, 12)),
    st.tuples(st.just("reopen"), st.none()),
)


@PROPERTY
@given(st.lists(STEP, max_size=40), st.sampled_from([0, 400, SEGMENT_BYTES]))
def test_each_window_is_given_once_by_each_process_until_it_is_confirmed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]], segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, 1, segment_bytes=segment_bytes)
    waiting: list[Name] = []
    out: list[Name] = []
    appended: set[Name] = set()
    for step, argument in steps:
        if step == "append":
            site, windows = argument  # type: ignore[misc]
            fresh = [one for one in windows if name_of(site.key(*one)) not in appended]
            if fresh:
                moment = site.moment(fresh)
                assert spool.append(moment) == []
                waiting += [name_of(key) for key in moment.keys]
                appended |= set(waiting)
        elif step == "take":
            moment, lost = spool.take(argument)  # type: ignore[arg-type]
            assert not lost
            names = [] if moment is None else [name_of(key) for key in moment.keys]
            assert bool(names) == bool(waiting)
            assert names == waiting[: len(names)]
            if moment is not None:
                require_true_samples(moment)
            waiting, out = waiting[len(names) :], out + names
        elif step == "confirm":
            done, out = out[:argument], out[argument:]  # type: ignore[misc]
            spool.confirm([WindowSpan(run, number, frame, frame) for run, number, frame in done])
        else:
            spool.close()
            spool = Spool(folder, 1, segment_bytes=segment_bytes)
            recovered = {
                (span.run, span.number, frame)
                for span in spool.recovered()
                for frame in range(span.first_frame, span.last_frame + 1, span.run.geometry.hop_frames)
            }
            assert recovered == set(waiting) | set(out)
            assert sum(map(len, spool.recovered())) == len(recovered)
            order = {name: place for place, name in enumerate(out + waiting)}
            waiting, out = sorted(recovered, key=order.__getitem__), []
        assert spool.status()["waiting_windows"] == len(waiting)
        assert spool.has_waiting == bool(waiting)
    if not waiting:
        spool.confirm([WindowSpan(run, number, frame, frame) for run, number, frame in out])
        assert spool.status()["bytes"] == 0
    spool.close()
    if not waiting:
        assert [path.name for path in folder.iterdir()] == ["lock"], "nothing is left of what is done"


def _filled(folder: Path) -> tuple[list[Name], Path]:
    """A spool of one segment that its process left; the windows in their order, and the segment."""
    spool = Spool(folder, 1)
    for site in SITES:
        for moment in site.moments():
            assert spool.append(moment) == []
    spool.close()
    (segment,) = folder.glob("*.windows")
    return [name for site in SITES for name in site.names()], segment


@PROPERTY
@given(st.data())
def test_a_torn_end_costs_only_the_windows_that_it_held(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    written, segment = _filled(folder)
    size = segment.stat().st_size
    os.truncate(segment, data.draw(st.integers(0, size)))
    spool = Spool(folder, 1)
    came = all_taken(spool)
    assert came == written[: len(came)]
    assert sum(map(len, spool.recovered())) == len(came)
    if segment.exists() and segment.stat().st_size == size:
        assert len(came) == len(written)
    spool.close()


@PROPERTY
@given(st.data())
def test_damage_in_the_middle_never_gives_wrong_samples_and_what_it_cost_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    written, segment = _filled(folder)
    content = bytearray(segment.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    segment.write_bytes(content)
    spool = Spool(folder, 1)
    announced = sum(map(len, spool.recovered()))
    came, told = [], Told()
    while True:
        moment, lost = spool.take(5)
        told.lose_all(lost)
        if moment is None:
            break
        require_true_samples(moment)
        came += [name_of(key) for key in moment.keys]
    assert set(came) <= set(written)
    assert len(came) + len(told.lost) == announced
    assert sorted(map(repr, came + told.lost)) == sorted(map(repr, {*came, *told.lost})), "each at most once"
    spool.close()


@PROPERTY
@given(st.lists(ONE_MOMENT, min_size=1, max_size=30), st.integers(0, 3000), st.data())
def test_a_full_spool_drops_the_oldest_and_tells_each_of_them(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[Site, list[tuple[int, int]]]],
    max_bytes: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, max_bytes / (1 << 20))
    told, came = Told(), list[Name]()
    moments = moments_once(drawn)
    for moment in moments:
        told.lose_all(spool.append(moment))
        on_disk = sum(path.stat().st_size for path in folder.glob("*.windows"))
        assert on_disk <= spool.status()["bytes"]
        assert on_disk <= max_bytes
        if data.draw(st.booleans()):
            some, lost = spool.take(3)
            assert not lost
            if some is not None:
                require_true_samples(some)
                came += [name_of(key) for key in some.keys]
    came += all_taken(spool)
    appended = [name_of(key) for moment in moments for key in moment.keys]
    assert sorted(map(repr, came + told.lost)) == sorted(map(repr, appended))
    assert sum(spool.status()["dropped"].values()) == len(told.lost)
    assert spool.counts()["dropped"] == len(told.lost)
    spool.close()


def test_the_newest_are_kept_when_it_is_full(tmp_path: Path) -> None:
    site = Site(run_of(), 2, 400)
    spool = Spool(tmp_path, 1)
    told = Told()
    for moment in site.moments():
        told.lose_all(spool.append(moment))
    came = [name_of(key) for key in _take_all(spool, site)]
    assert came
    assert told.lost
    assert sorted(told.lost, key=_by_time) + came == site.names(), "the oldest are lost, the others are there"
    assert set(spool.status()["dropped"]) == {"marsh:out_1", "marsh:out_2"}
    assert len(came) * TINY.hop_frames * 4 > 0.7 * (1 << 20), "its space is used"
    assert all("full" in reason for reason in told.reasons)
    spool.close()


def _by_time(name: Name) -> tuple[int, int]:
    _, number, start_frame = name
    return start_frame, number


def _take_all(spool: Spool, site: Site) -> list:
    keys = []
    while (moment := spool.take(64)[0]) is not None:
        for key, row in zip(moment.keys, moment.audio, strict=True):
            np.testing.assert_array_equal(row, site.window(key.number, key.start_frame // TINY.hop_frames))
        keys += moment.keys
    return keys


def test_only_new_samples_of_windows_that_overlap_are_written(tmp_path: Path) -> None:
    site = Site(run_of(), 2, 50)
    spool = Spool(tmp_path, 10)
    for moment in site.moments():
        spool.append(moment)
    samples = 2 * (TINY.window_frames + 49 * TINY.hop_frames)
    assert samples * 4 < spool.status()["bytes"] < samples * 4 * 1.05
    assert spool.status()["waiting_s"] == pytest.approx(2 * 50 * TINY.hop_frames / TINY.rate_hz)
    spool.close()


def test_each_segment_stands_for_itself(tmp_path: Path) -> None:
    site = Site(run_of(), 2, 60)
    spool = Spool(tmp_path, 10, segment_bytes=100_000)
    for moment in site.moments():
        spool.append(moment)
    spool.close()
    first, *others = sorted(tmp_path.glob("*.windows"))
    assert len(others) > 3
    first.unlink()
    again = Spool(tmp_path, 10)
    came = [name_of(key) for key in _take_all(again, site)]
    assert came == site.names()[-len(came) :]
    assert len(came) > 60
    again.close()


def test_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    site = Site(run_of(), 1, 4)
    spool = Spool(tmp_path / "spool", 1)
    for moment in site.moments():
        spool.append(moment)
    moment, _ = spool.take(2)
    assert moment is not None
    spool.forget(moment.keys)
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()}
    assert modes[".windows"] == modes[".done"] == 0o600
    spool.close()


def test_two_processes_cannot_have_it_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1)
    with pytest.raises(BusyError, match="spool"):
        Spool(tmp_path, 1)
    spool.close()
    Spool(tmp_path, 1).close()


def test_without_space_nothing_is_kept_and_all_is_told(tmp_path: Path) -> None:
    site = Site(run_of(), 2, 3)
    spool = Spool(tmp_path, 0)
    told = Told()
    for moment in site.moments():
        told.lose_all(spool.append(moment))
    assert told.lost == site.names()
    assert not spool.has_waiting
    spool.close()


def test_done_windows_of_a_removed_segment_are_not_taken_for_those_of_a_new_one(tmp_path: Path) -> None:
    site = Site(run_of(), 1, 6)
    spool = Spool(tmp_path, 1)
    for moment in site.moments():
        spool.append(moment)
    taken_moment, _ = spool.take(3)
    assert taken_moment is not None
    spool.forget(taken_moment.keys)
    spool.close()
    (segment,) = tmp_path.glob("*.windows")
    segment.unlink()  # killed between the two removals
    again = Spool(tmp_path, 1)
    for moment in site.moments():
        again.append(moment)
    again.close()
    last = Spool(tmp_path, 1)
    assert [name_of(key) for key in _take_all(last, site)] == site.names()
    last.close()


def test_a_torn_list_of_done_windows_goes_on_where_it_was_whole(tmp_path: Path) -> None:
    site = Site(run_of(), 1, 6)
    spool = Spool(tmp_path, 1)
    for moment in site.moments():
        spool.append(moment)
    for _ in range(2):
        moment, _ = spool.take(1)
        assert moment is not None
        spool.forget(moment.keys)
    spool.close()
    (done,) = tmp_path.glob("*.done")
    with done.open("ab") as file:
        file.write(b"half a record")
    spool = Spool(tmp_path, 1)
    moment, _ = spool.take(1)
    assert moment is not None
    assert name_of(moment.keys[0]) == site.names()[2]
    spool.forget(moment.keys)
    spool.close()
    spool = Spool(tmp_path, 1)
    names = [name_of(key) for key in _take_all(spool, site)]
    assert names == site.names()[3:]
    assert_in_order(names)
    spool.close()
