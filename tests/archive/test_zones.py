"""Time zones of sources: declared once, remembered, replaced only on purpose; jumps of the clock."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.archive.made import contents, index, make_recording, rows
from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Source
from tidzam_platform.errors import ArchiveError

SUMMER = "marsh-2026-07-01-05-00-00.wav"
TWICE = "marsh-2026-10-25-02-30-00.wav"
NEVER = "marsh-2026-03-29-02-30-00.wav"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    require_part("ffmpeg")
    make_recording(tmp_path / "archive", SUMMER)
    return tmp_path / "archive"


def _start(catalog: Catalog, name: str) -> datetime:
    return rows(catalog)[name].start


def test_a_source_without_a_zone_is_in_utc(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    assert _start(catalog, SUMMER) == datetime(2026, 7, 1, 5, tzinfo=UTC)


def test_a_zone_given_once_is_remembered(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive, time_zone="Europe/Paris")
    make_recording(archive, "marsh-2026-12-01-05-00-00.wav")
    index(catalog, archive)
    index(catalog, archive, time_zone="Europe/Paris")
    assert _start(catalog, SUMMER) == datetime(2026, 7, 1, 3, tzinfo=UTC)
    assert _start(catalog, "marsh-2026-12-01-05-00-00.wav") == datetime(2026, 12, 1, 4, tzinfo=UTC)


def test_another_zone_is_refused_and_nothing_changes(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive, time_zone="Europe/Paris")
    before = contents(catalog)
    make_recording(archive, "aaa-2026-12-01-05-00-00.wav")
    with pytest.raises(ArchiveError, match="'marsh' are known to carry the time of Europe/Paris, not UTC"):
        index(catalog, archive, time_zone="UTC")
    assert contents(catalog) == before
    with catalog.reading() as session:
        assert session.scalars(select(Source.name)).all() == ["marsh"]


def test_rezone_computes_all_times_of_the_source_anew(catalog: Catalog, archive: Path) -> None:
    elsewhere = archive.with_name("elsewhere")
    make_recording(elsewhere, TWICE)
    make_recording(elsewhere, NEVER)
    make_recording(elsewhere, "river-2026-07-01-05-00-00.wav")
    index(catalog, elsewhere)
    index(catalog, archive)
    report = index(catalog, archive, time_zone="Europe/Paris", rezone=True)
    assert report.unchanged == 1  # no file is opened for it
    assert _start(catalog, SUMMER) == datetime(2026, 7, 1, 3, tzinfo=UTC)
    assert _start(catalog, TWICE) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert _start(catalog, NEVER) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert "never was" in (rows(catalog)[NEVER].warning or "")
    assert _start(catalog, "river-2026-07-01-05-00-00.wav") == datetime(2026, 7, 1, 5, tzinfo=UTC)
    index(catalog, archive, time_zone="UTC", rezone=True)
    assert _start(catalog, TWICE) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    assert rows(catalog)[TWICE].warning is None


def test_a_source_known_without_recordings_takes_the_zone(catalog: Catalog, archive: Path) -> None:
    with catalog.session() as session:
        session.add(Source(name="marsh"))
    index(catalog, archive, time_zone="Europe/Paris")
    assert _start(catalog, SUMMER) == datetime(2026, 7, 1, 3, tzinfo=UTC)


def test_a_zone_that_is_none_is_refused_before_anything_happens(catalog: Catalog, archive: Path) -> None:
    with pytest.raises(ArchiveError, match="no time zone"):
        index(catalog, archive, time_zone="Europe/Atlantis")
    with pytest.raises(ArchiveError, match="needs the new time zone"):
        index(catalog, archive, rezone=True)
    assert rows(catalog) == {}


def test_times_that_never_were_or_came_twice_are_pointed_out_at_every_call(
    catalog: Catalog, archive: Path
) -> None:
    make_recording(archive, TWICE)
    make_recording(archive, NEVER)
    first = index(catalog, archive, time_zone="Europe/Paris")
    assert len(first.warnings.named) == 2
    assert "02:30:00 on 2026-03-29 never was in Europe/Paris: taken as 03:30:00" in first.warnings.named[0]
    assert "02:30:00 on 2026-10-25 came twice in Europe/Paris: taken as the first" in first.warnings.named[1]
    assert index(catalog, archive).warnings == first.warnings


def test_the_order_in_which_files_arrive_does_not_matter(catalog: Catalog, tmp_path: Path) -> None:
    """An unbroken recording of 40 minute files over the jump, found in every order, at once, and with one lost."""
    require_part("ffmpeg")
    truth = {  # 23:50 UTC onwards
        "{}-2026-10-25-01-50-00.wav": datetime(2026, 10, 24, 23, 50, tzinfo=UTC),
        "{}-2026-10-25-02-30-00.wav": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        "{}-2026-10-25-02-10-00.wav": datetime(2026, 10, 25, 1, 10, tzinfo=UTC),
        "{}-2026-10-25-02-50-00.wav": datetime(2026, 10, 25, 1, 50, tzinfo=UTC),
    }
    audio = make_recording(tmp_path, "long", seconds=40 * 60.0).read_bytes()
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, order in enumerate([*itertools.permutations(truth)][::5]):
        for name in order:
            (folder / name.format(f"s{number}")).write_bytes(audio)
            index(catalog, folder, time_zone="Europe/Paris")
        found = rows(catalog)
        assert {name: found[name.format(f"s{number}")].start for name in truth} == truth, order
        assert {found[name.format(f"s{number}")].warning for name in truth} == {None}
    (folder / "s0-2026-10-25-01-50-00.wav").unlink()
    (folder / "s0-2026-10-25-02-50-00.wav").unlink()
    index(catalog, folder)
    lost = rows(catalog)["s0-2026-10-25-02-10-00.wav"]
    assert lost.start == datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    assert "taken as the first" in (lost.warning or "")
