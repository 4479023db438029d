"""Detections move from the table into files, and whoever reads finds each exactly once all the time."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.detections.made import NOON, heard, keep_in_files
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile, LiveDetection, Source
from tidzam_platform.detections import archiving, file_changes
from tidzam_platform.detections.archiving import archive_detections
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.detections.query import DetectionQuery, Position
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.store import LocalStore

TOMORROW = NOON.date() + timedelta(days=1)
SOON = NOON.date() + timedelta(days=30)

one_detection = st.builds(
    heard,
    st.integers(-50, 50).map(lambda hours: hours * 3600.0),
    channel=st.sampled_from(["marsh:out_1", "marsh:out_2", "pond:out_1"]),
    class_path=st.sampled_from(["birds", "rain"]),
    generation=st.integers(1, 2),
)
some = st.lists(one_detection, max_size=12, unique_by=lambda one: one.id)


class _Killed(BaseException):
    """In place of kill -9."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def _all(catalog: Catalog, store: LocalStore, **query: object) -> list[str]:
    return [one.id for one in DetectionReader(catalog, store).all(DetectionQuery(**query))]  # type: ignore[arg-type]


def _in_table(catalog: Catalog) -> int:
    return LiveDetections(catalog).count()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(in_files=some, live=some, kill_at=st.integers(0, 12))
def test_each_is_found_once_at_every_moment_also_after_a_kill(
    tmp_path_factory: pytest.TempPathFactory, in_files: list[Detection], live: list[Detection], kill_at: int
) -> None:
    folder = tmp_path_factory.mktemp("archiving")
    catalog, store = Catalog.open(f"sqlite:///{folder / 'c.db'}"), LocalStore(folder / "store")
    keep_in_files(catalog, store, [*in_files, heard(generation=1), heard(generation=2)])
    # Every day in its own file, as keep_in_files groups them in any order.
    LiveDetections(catalog).add(live)
    expected = {one.id for one in [*in_files, *live, heard(generation=1), heard(generation=2)]}
    moments = 0

    def look(_name: str) -> None:
        nonlocal moments
        found = _all(catalog, store)
        assert sorted(found) == sorted(expected)
        moments += 1
        if moments == kill_at:
            raise _Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archiving, "reach", look)
        patch.setattr(file_changes, "reach", look)
        with contextlib.suppress(_Killed):
            archive_detections(catalog, store, SOON)
    done = archive_detections(catalog, store, SOON)
    assert done.stayed == {}
    assert _in_table(catalog) == 0
    assert sorted(_all(catalog, store)) == sorted(expected)
    assert archive_detections(catalog, store, SOON).moved == 0
    with catalog.reading() as session:
        assert session.scalar(select(func.sum(DetectionFile.detections))) == len(expected)
    catalog.close()


def test_only_whole_days_before_the_one_named_move(catalog: Catalog, store: LocalStore) -> None:
    keep_in_files(catalog, store, [heard()])
    midnight = 12 * 3600
    live = [heard(1), heard(midnight - 0.001), heard(midnight), heard(midnight + 1)]
    LiveDetections(catalog).add(live)
    planned = archive_detections(catalog, store, TOMORROW, apply=False)
    assert (planned.moved, _in_table(catalog)) == (2, 4)
    done = archive_detections(catalog, store, TOMORROW)
    assert (done.moved, done.files, done.days) == (2, 1, [NOON.date()])
    assert _in_table(catalog) == 2
    assert len(_all(catalog, store)) == 5


def test_what_has_no_place_in_the_index_stays_and_is_told(catalog: Catalog, store: LocalStore) -> None:
    keep_in_files(catalog, store, [heard()])
    live = [
        heard(1, generation=99),
        replace(heard(2), channel="file.opus"),
        heard(3, channel="new_pond:out_2"),
    ]
    LiveDetections(catalog).add(live)
    done = archive_detections(catalog, store, TOMORROW)
    assert done.moved == 1
    assert sorted(done.stayed) == [
        "'file.opus' is no channel of a source",
        "generation 99 is not in the catalog",
    ]
    with catalog.reading() as session:
        assert session.scalar(select(Source.name).where(Source.name == "new_pond"))
    assert sorted(_all(catalog, store)) == sorted(one.id for one in [heard(), *live])


def test_who_was_told_that_a_file_holds_nothing_more_finds_what_moves_into_it(
    catalog: Catalog, store: LocalStore
) -> None:
    """A cursor may say which files of a day hold nothing: a file that got more has a number behind those."""
    keep_in_files(catalog, store, [heard(0, channel="pond:out_1"), heard(0)])
    live = [heard(at) for at in range(100, 110)]
    LiveDetections(catalog).add(live)
    with catalog.reading() as session:
        last = session.scalar(select(func.max(DetectionFile.id))) or 0
    archive_detections(catalog, store, TOMORROW)
    cursor = Position(NOON, "z", last).cursor
    page = DetectionReader(catalog, store).page(DetectionQuery(), cursor=cursor)
    assert list(page.detections) == live


def _numbers(session: Session) -> dict[str, int]:
    rows = session.execute(select(DetectionFile.store_key, DetectionFile.id))
    return {row.store_key: row.id for row in rows}


def test_merging_gives_the_file_a_number_behind_all_others(catalog: Catalog, store: LocalStore) -> None:
    keep_in_files(catalog, store, [heard(0), heard(0, channel="pond:out_1")])
    with catalog.reading() as session:
        before = _numbers(session)
    LiveDetections(catalog).add([heard(5)])
    archive_detections(catalog, store, TOMORROW)
    with catalog.reading() as session:
        after = _numbers(session)
        assert session.scalars(select(LiveDetection)).all() == []
    changed = [key for key in after if after[key] != before[key]]
    assert len(changed) == 1
    assert after[changed[0]] > max(before.values())
