"""The index of an archive: every recording once, incrementally, whatever happens to the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.archive.made import contents, counts, index, make_recording, rows
from tests.support.data import shared_data
from tests.support.parts import require_part
from tidzam_platform.audio import write_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import ArchiveError, BusyError
from tidzam_platform.files import exclusive

A, B, C = (f"marsh-2026-04-0{day}-05-00-00.wav" for day in (1, 2, 3))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with the recordings A and B."""
    require_part("ffmpeg")
    folder = tmp_path / "archive"
    make_recording(folder, A)
    make_recording(folder, B)
    return folder


def test_recordings_become_rows_with_their_times_in_utc(catalog: Catalog, tmp_path: Path) -> None:
    require_part("ffmpeg")
    name = "north-marsh-2026-04-01-23-59-59.opus"
    path = tmp_path / "archive" / "2026" / name
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (4, 96_000))
    write_audio(path, noise, 48_000)
    report = index(catalog, tmp_path / "archive")
    assert counts(report) == {"recordings": 1, "added": 1}
    assert (report.sources, report.channels) == (("north-marsh",), (4,))
    assert report.days == (date(2026, 4, 1), date(2026, 4, 2))
    row = rows(catalog)[name]
    assert (row.codec, row.rate_hz, row.channels, row.holes, row.truncated) == ("opus", 48_000, 4, [], False)
    assert row.seconds == pytest.approx(2.0, abs=0.01)
    assert row.start == datetime(2026, 4, 1, 23, 59, 59, tzinfo=UTC)
    assert row.end is not None
    assert (row.end - row.start).total_seconds() == pytest.approx(row.seconds, abs=1e-6)
    assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert row.path == str(path)
    assert (row.error, row.warning) == (None, None)


def test_a_second_call_reads_no_audio(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    before = contents(catalog)
    for path in (archive / A, archive / B):
        status = path.stat()
        path.write_bytes(bytes(status.st_size))  # only who reads it can tell
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert counts(index(catalog, archive)) == {"recordings": 2, "unchanged": 2}
    assert contents(catalog) == before


def test_what_is_new_is_added_beside_what_is_known(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    make_recording(archive / "deeper" / "still", C)
    assert counts(index(catalog, archive)) == {"recordings": 3, "added": 1, "unchanged": 2}
    assert set(rows(catalog)) == {A, B, C}


def test_a_file_that_grew_is_indexed_again_in_place(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    before = rows(catalog)[A]
    make_recording(archive, A, seconds=0.2)
    assert counts(index(catalog, archive)) == {"recordings": 2, "changed": 1, "unchanged": 1}
    after = rows(catalog)[A]
    assert after.id == before.id
    assert (before.seconds, after.seconds) == (0.1, 0.2)
    assert after.sha256 != before.sha256


def test_a_file_that_is_still_being_written_is_cut_until_it_is_whole(
    catalog: Catalog, tmp_path: Path
) -> None:
    require_part("ffmpeg")
    path = tmp_path / "archive" / "marsh-2026-04-01-05-00-00.opus"
    write_audio(path, np.random.default_rng(1).uniform(-0.1, 0.1, (1, 4 * 48_000)), 48_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    index(catalog, path.parent)
    cut = rows(catalog)[path.name]
    assert cut.truncated
    path.write_bytes(whole)
    assert counts(index(catalog, path.parent)) == {"recordings": 1, "changed": 1}
    row = rows(catalog)[path.name]
    assert not row.truncated
    assert row.seconds == pytest.approx(4.0, abs=0.01)
    assert cut.seconds is not None
    assert 0 < cut.seconds < row.seconds


def test_a_file_that_was_only_touched_is_unchanged_and_not_read_a_third_time(
    catalog: Catalog, archive: Path
) -> None:
    index(catalog, archive)
    os.utime(archive / A, ns=(1, 1))
    assert counts(index(catalog, archive)) == {"recordings": 2, "unchanged": 2}
    assert rows(catalog)[A].mtime_ns == 1
    (archive / A).write_bytes(bytes((archive / A).stat().st_size))
    os.utime(archive / A, ns=(1, 1))
    assert counts(index(catalog, archive)) == {"recordings": 2, "unchanged": 2}


def test_a_file_that_has_gone_is_removed_and_counted(catalog: Catalog, archive: Path) -> None:
    make_recording(archive.parent / "elsewhere", C)
    index(catalog, archive)
    index(catalog, archive.parent / "elsewhere")
    (archive / A).unlink()
    (archive.parent / "elsewhere" / C).unlink()
    assert counts(index(catalog, archive)) == {"recordings": 1, "unchanged": 1, "removed": 1}
    assert set(rows(catalog)) == {B, C}  # of the other folder nothing was asked


def test_a_folder_beside_one_of_the_same_beginning_is_left_alone(catalog: Catalog, archive: Path) -> None:
    other = archive.with_name("Archive_2")
    for folder in (other, archive.with_name("archive_2")):
        make_recording(folder, C)
    for folder in (archive, other, archive.with_name("archive_2")):
        index(catalog, folder)
    (archive.with_name("archive_2") / C).unlink()
    assert counts(index(catalog, archive)) == {"recordings": 2, "unchanged": 2}
    with pytest.raises(ArchiveError):
        index(catalog, archive.with_name("archive_2"))
    assert counts(index(catalog, other)) == {"recordings": 1, "unchanged": 1}


def test_a_folder_that_is_suddenly_empty_is_taken_for_a_missing_disk(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    before = contents(catalog)
    (archive / A).unlink()
    (archive / B).unlink()
    with pytest.raises(ArchiveError, match="mount its disk"):
        index(catalog, archive)
    assert contents(catalog) == before
    assert counts(index(catalog, archive, allow_empty=True)) == {"removed": 2}
    assert counts(index(catalog, archive)) == {}


def test_a_moved_file_keeps_its_row(catalog: Catalog, archive: Path) -> None:
    index(catalog, archive)
    before = rows(catalog)[A]
    (archive / "old").mkdir()
    (archive / A).rename(archive / "old" / A)
    assert counts(index(catalog, archive)) == {"recordings": 2, "moved": 1, "unchanged": 1}
    after = rows(catalog)[A]
    assert (after.id, after.path) == (before.id, str(archive / "old" / A))
    other = archive.with_name("other")
    other.mkdir()
    renamed = "river-2026-05-01-06-00-00.wav"
    (archive / "old" / A).rename(other / renamed)
    assert counts(index(catalog, other)) == {"recordings": 1, "moved": 1}
    after = rows(catalog)[renamed]
    assert (after.id, after.source.name) == (before.id, "river")
    assert after.start == datetime(2026, 5, 1, 6, tzinfo=UTC)
    assert counts(index(catalog, archive)) == {"recordings": 1, "unchanged": 1}


def test_a_copy_is_a_recording_of_its_own_and_is_pointed_out(catalog: Catalog, archive: Path) -> None:
    (archive / "copy").mkdir()
    (archive / "copy" / A).write_bytes((archive / A).read_bytes())
    report = index(catalog, archive)
    assert counts(report) == {"recordings": 3, "added": 3}
    (warning,) = report.warnings
    assert "the same bytes as" in warning
    assert str(archive / "copy" / A) in warning


def test_other_files_are_ignored_counted_and_named(catalog: Catalog, archive: Path) -> None:
    for number in range(25):
        (archive / f"note-{number:02}.txt").write_text("x")
    (archive / "marsh-2026-02-30-05-00-00.wav").write_bytes(b"x")
    report = index(catalog, archive)
    assert counts(report) == {"recordings": 2, "added": 2, "ignored": 26}
    assert len(report.ignored.named) == 20
    assert report.ignored.named[0] == "marsh-2026-02-30-05-00-00.wav"
    assert report.ignored.lines()[-1] == "and 6 more"
    (warning,) = report.warnings  # this one was meant to be a recording
    assert "marsh-2026-02-30-05-00-00.wav" in warning


def test_hidden_files_and_folders_are_left_out(catalog: Catalog, archive: Path) -> None:
    make_recording(archive / ".partial", C)
    (archive / f".{C}").write_bytes(b"x")
    assert counts(index(catalog, archive)) == {"recordings": 2, "added": 2}


def test_linked_files_are_followed_and_linked_folders_are_not(catalog: Catalog, archive: Path) -> None:
    target = make_recording(archive.parent / "elsewhere", C)
    (archive / C).symlink_to(target)
    (archive / "circle").symlink_to(archive)
    assert counts(index(catalog, archive)) == {"recordings": 3, "added": 3}


def test_audio_that_cannot_be_used_becomes_a_row_with_its_reason(catalog: Catalog, archive: Path) -> None:
    (archive / C).write_bytes(b"")
    (archive / "marsh-2026-04-04-05-00-00.opus").write_text("file '/etc/passwd'\n")
    report = index(catalog, archive)
    assert counts(report) == {"recordings": 4, "added": 4, "unusable": 2}
    for name in (C, "marsh-2026-04-04-05-00-00.opus"):
        row = rows(catalog)[name]
        assert row.error
        assert (row.seconds, row.end, row.channels) == (None, None, None)
        assert f"{archive / name}: {row.error}" in report.unusable
    assert report.days == (date(2026, 4, 1), date(2026, 4, 2))
    assert counts(index(catalog, archive)) == {"recordings": 4, "unchanged": 4, "unusable": 2}


def test_unusable_files_are_opened_again_when_asked(catalog: Catalog, archive: Path) -> None:
    good = make_recording(archive.parent / "elsewhere", C).read_bytes()
    (archive / C).write_bytes(bytes(len(good)))
    status = (archive / C).stat()
    index(catalog, archive)
    (archive / C).write_bytes(good)
    os.utime(archive / C, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert counts(index(catalog, archive)) == {"recordings": 3, "unchanged": 3, "unusable": 1}
    assert counts(index(catalog, archive, retry_unusable=True)) == {
        "recordings": 3,
        "changed": 1,
        "unchanged": 2,
    }


def test_what_is_no_file_neither_blocks_nor_becomes_a_row(catalog: Catalog, archive: Path) -> None:
    os.mkfifo(archive / C)
    (archive / "marsh-2026-04-04-05-00-00.wav").symlink_to(archive / "nowhere")
    (archive / "marsh-2026-04-05-05-00-00.wav").symlink_to("/dev/zero")
    for _ in range(2):
        report = index(catalog, archive)
        assert report.unusable.count == 3
        assert report.recordings == 5
        assert set(rows(catalog)) == {A, B}
    assert "no regular file" in str(report.unusable.named)
    assert "leads nowhere" in str(report.unusable.named)


def test_a_folder_whose_name_is_not_utf8_is_pointed_out(catalog: Catalog, archive: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(archive) + b"/\xff"))
    make_recording(folder, C)
    report = index(catalog, archive)
    assert counts(report) == {"recordings": 2, "added": 2, "ignored": 1}
    assert "UTF-8" in str(report.warnings.named)
    assert all(line.encode() for line in [*report.warnings, *report.ignored])


def test_a_folder_that_is_none_is_a_typed_error(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ArchiveError, match="no folder"):
            index(catalog, path)


def test_two_runs_at_once_are_kept_apart(catalog: Catalog, archive: Path) -> None:
    locks = archive.parent / "locks"
    with exclusive(locks / "archive-index", "a test"), pytest.raises(BusyError, match="already running"):
        index(catalog, archive, locks_folder=locks)
    assert counts(index(catalog, archive, locks_folder=locks)) == {"recordings": 2, "added": 2}


def test_progress_counts_every_file_once(catalog: Catalog, archive: Path) -> None:
    seen: list[int] = []

    @contextmanager
    def progress(total: int) -> Iterator[Callable[[int], None]]:
        seen.append(total)
        yield seen.append

    index(catalog, archive)
    make_recording(archive, C)
    index(catalog, archive, progress=progress)
    assert seen[0] == 3
    assert sum(seen[1:]) == 3


def test_the_marsh_is_three_recordings_of_four_channels_over_two_days(
    catalog: Catalog, tmp_path: Path
) -> None:
    report = index(catalog, shared_data("archive", "marsh"), locks_folder=tmp_path)
    assert (report.recordings, report.added, report.unusable.count) == (3, 3, 0)
    assert (report.sources, report.channels) == (("marsh",), (4,))
    assert report.days == (date(2026, 4, 1), date(2026, 4, 2))
    found = sorted(rows(catalog).values(), key=lambda row: row.start)
    assert found[0].end == found[1].start  # the second follows the first without a gap


def test_thirty_channels_are_counted(catalog: Catalog, tmp_path: Path) -> None:
    report = index(catalog, shared_data("edge"), locks_folder=tmp_path)
    assert (report.sources, report.channels, report.recordings) == (("impoundment",), (30,), 1)
