"""Playing the archive: which recordings follow, from where in them, and what time they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.fetching import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.archive_player import ArchivePlayer
from streamer.engine.sources.archive_recordings import FROM_THE_FIRST, zone_of_database
from tests.archive.made import make_recording
from tidzam_platform.archive import index_archive
from tidzam_platform.audio import read_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import SourceError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 4, 1, 5, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def recorded(
    archive: Path, after_s: float, seconds: float, *, database: str = "marsh", channels: int = 1
) -> Path:
    """A recording that begins ``after_s`` after START."""
    begun = START + timedelta(seconds=after_s)
    return make_recording(
        archive, f"{database}-{begun:%Y-%m-%d-%H-%M-%S}.wav", seconds=seconds, channels=channels
    )


def indexed(catalog: Catalog, archive: Path, zone: str | None = None) -> None:
    index_archive(catalog, archive, time_zone=zone, locks_folder=archive.parent / "locks")


def played(
    catalog: Catalog, cancellation: Cancellation, after_s: float, *, database: str = "marsh"
) -> list[tuple[str, float, np.ndarray]]:
    """Of each part: its file, when it begins in s after START, and its samples."""
    player = ArchivePlayer(catalog, database, START + timedelta(seconds=after_s), cancellation)
    return [
        (
            part.what,
            ((part.utc_ns or 0) - (START - EPOCH).total_seconds() * 1e9) / 1e9,
            np.concatenate(list(part.blocks)),
        )
        for part in player.parts()
    ]


def test_plays_on_through_the_following_recordings(
    catalog: Catalog, archive: Path, cancellation: Cancellation
) -> None:
    paths = [recorded(archive, after_s, 3) for after_s in (0, 3, 6)]
    recorded(archive, 3, 3, database="pond")
    indexed(catalog, archive)
    parts = played(catalog, cancellation, 0)
    assert [part[:2] for part in parts] == [(path.name, 3.0 * number) for number, path in enumerate(paths)]
    for path, (_, _, samples) in zip(paths, parts, strict=True):
        np.testing.assert_array_equal(samples, read_audio(path, rate_hz=ENGINE_RATE_HZ).T)


def test_begins_within_a_recording(catalog: Catalog, archive: Path, cancellation: Cancellation) -> None:
    path = recorded(archive, 0, 8)
    recorded(archive, 8, 2)
    indexed(catalog, archive)
    (name, begins_s, samples), (_, next_s, _) = played(catalog, cancellation, 6.5)
    assert (name, begins_s, next_s) == (path.name, 6.5, 8.0)
    np.testing.assert_array_equal(
        samples, read_audio(path, rate_hz=ENGINE_RATE_HZ).T[round(6.5 * ENGINE_RATE_HZ) :]
    )


def test_jumps_over_what_was_not_recorded(
    catalog: Catalog, archive: Path, cancellation: Cancellation
) -> None:
    recorded(archive, 100, 1)
    recorded(archive, 90_000, 1)
    indexed(catalog, archive)
    assert [part[1] for part in played(catalog, cancellation, 0)] == [100.0, 90_000.0]


def test_what_was_recorded_twice_is_heard_once(
    catalog: Catalog, archive: Path, cancellation: Cancellation
) -> None:
    recorded(archive, 0, 10)
    recorded(archive, 6, 10)
    recorded(archive, 7, 2)
    recorded(archive, 15, 5)
    make_recording(archive / "copies", f"marsh-{START:%Y-%m-%d-%H-%M-%S}.wav", seconds=10)
    indexed(catalog, archive)
    parts = played(catalog, cancellation, 0)
    assert [part[1] for part in parts] == [0.0, 10.0, 15.0], "1 s of overlap is the rounding of names"
    assert [round(len(samples) / ENGINE_RATE_HZ) for _, _, samples in parts] == [10, 6, 5]


def test_a_damaged_or_missing_recording_is_left_out(
    catalog: Catalog, archive: Path, cancellation: Cancellation
) -> None:
    paths = [recorded(archive, after_s, 2) for after_s in (0, 2, 4, 6)]
    indexed(catalog, archive)
    paths[1].unlink()
    paths[2].write_bytes(b"RIFF")
    player = ArchivePlayer(catalog, "marsh", START, cancellation)
    assert [part.what for part in player.parts()] == [paths[0].name, paths[3].name]
    assert player.skipped_files == 2


@pytest.mark.parametrize(("after_s", "database"), [(10, "marsh"), (0, "pond")])
def test_an_archive_without_anything_to_play_is_said(
    catalog: Catalog, archive: Path, cancellation: Cancellation, after_s: float, database: str
) -> None:
    recorded(archive, 0, 2)
    indexed(catalog, archive)
    with pytest.raises(SourceError, match="holds nothing"):
        played(catalog, cancellation, after_s, database=database)


def test_no_date_is_told_where_none_was_given(catalog: Catalog, cancellation: Cancellation) -> None:
    told = []
    for begin in (FROM_THE_FIRST, START):
        with pytest.raises(SourceError) as caught:
            next(ArchivePlayer(catalog, "pond", begin, cancellation).parts())
        told.append(str(caught.value))
    assert [re.findall(r"from \S+ on", text) for text in told] == [[], ["from 2026-04-01T05:00:00.000Z on"]]
    assert all("archive list" in text and "damaged" not in text for text in told)


def test_knows_the_zone_of_a_database(catalog: Catalog, archive: Path) -> None:
    recorded(archive, 0, 1)
    indexed(catalog, archive, "Europe/Paris")
    assert zone_of_database(catalog, "marsh") == "Europe/Paris"
    assert zone_of_database(catalog, "pond") is None
