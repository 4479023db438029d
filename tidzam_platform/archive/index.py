"""The index of an archive folder: its files become rows of the catalog, incrementally.

A file with the path, size and time of change that its row has is not opened. Others are hashed and probed by
a few threads and stored in the order of their names, a few per transaction: after a kill at any moment the
next run goes on from the last transaction, and ends with the same catalog as a run that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import select

from tidzam_platform.archive import rows
from tidzam_platform.archive.reading import AudioFacts, Reading, read
from tidzam_platform.archive.recordings import is_below, summarise
from tidzam_platform.archive.report import IndexReport
from tidzam_platform.archive.scan import Entry, entries, is_gone, survey
from tidzam_platform.audio.archive_names import time_zone as named_zone
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import ArchiveError
from tidzam_platform.files import exclusive
from tidzam_platform.look_ahead import futures_ahead
from tidzam_platform.settings import load_settings

THREADS: Final = 2  # hashing waits for the disk, probing for a child process
READ_AHEAD: Final = 8  # readings in flight at most
FILES_PER_TRANSACTION: Final = 32
SECONDS_PER_TRANSACTION: Final = 2.0  # work that a kill may lose, where files are long
_LOOK_UP: Final = 500  # paths in one query

Item = TypeVar("Item")
Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def index_archive(
    catalog: Catalog,
    folder: Path,
    *,
    time_zone: str | None = None,
    rezone: bool = False,
    allow_empty: bool = False,
    retry_unusable: bool = False,
    locks_folder: Path | None = None,
    progress: Progress | None = None,
) -> IndexReport:
    """Bring the catalog up to date with the recordings below ``folder``.

    Args:
        catalog: where the rows go.
        folder: searched with all its folders, hidden and linked ones left out.
        time_zone: IANA zone of the clock that named the files, kept with each source found here; UTC for a
            new source when it is not given.
        rezone: allow ``time_zone`` to replace another one, and compute all times of these sources anew.
        allow_empty: remove rows even though the folder holds no recording any more; otherwise that is taken
            for a disk that is not mounted.
        retry_unusable: open those files again that could not be used, e.g. after an update of ffmpeg.
        locks_folder: where the lock lies that keeps two runs apart; that of the settings by default.
        progress: given the number of files, makes a context manager of a function that is told how many more
            are done.

    Raises:
        ArchiveError: no such folder or zone; another zone than known without ``rezone``; the folder is empty
            though the catalog holds recordings of it. Nothing has changed then.
        BusyError: another process is indexing.
        MissingSystemPartError: a program that reads audio is not installed.
    """
    if time_zone is not None:
        named_zone(time_zone)  # refuses what is none
    elif rezone:
        raise ArchiveError("rezone needs the new time zone")
    folder = folder.resolve()
    if not folder.is_dir():
        raise ArchiveError(f"{folder} is no folder")
    with exclusive((locks_folder or load_settings().locks_folder) / "archive-index", "an archive index"):
        run = _Run(catalog, folder, progress or _silent, retry_unusable=retry_unusable)
        return run.index(time_zone, rezone=rezone, allow_empty=allow_empty)


@contextlib.contextmanager
def _silent(_total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _more: None


class _Run:
    """One call of index_archive; it holds the lock."""

    def __init__(self, catalog: Catalog, folder: Path, progress: Progress, *, retry_unusable: bool) -> None:
        self._catalog = catalog
        self._folder = folder
        self._progress = progress
        self._retry_unusable = retry_unusable
        self._report = IndexReport(folder)

    def index(self, time_zone: str | None, *, rezone: bool, allow_empty: bool) -> IndexReport:
        """Survey, declare sources, read what is new, remove what is gone, summarise."""
        found = survey(self._folder)
        self._report.ignored, self._report.warnings = found.ignored, found.warnings
        if not found.recordings and not allow_empty and self._is_known():
            raise ArchiveError(
                f"{self._folder} holds no recording, but the catalog knows some of it: mount its disk; "
                "or give --allow-empty if they were removed on purpose"
            )
        with self._catalog.session() as session:
            rows.declare_sources(session, found.databases, time_zone, rezone=rezone)
            reach("archive.index.sources")
        with self._progress(found.recordings) as advance:
            for chunk in _chunks(self._known_files(found.databases), _LOOK_UP):
                with contextlib.closing(self._read(self._to_read(chunk, advance))) as readings:
                    self._store(readings, advance)
        self._remove_gone()
        with self._catalog.reading() as session:
            summarise(session, self._report)
        return self._report

    def _known_files(self, databases: set[str]) -> Iterator[Entry]:
        for entry in entries(self._folder, self._unfit):
            if entry.name.database in databases:  # else it came after the survey: the next run takes it
                self._report.recordings += 1
                yield entry

    def _to_read(self, chunk: list[Entry], advance: Callable[[int], None]) -> list[Entry]:
        """Those of the ``chunk`` that are not in the catalog as they lie on the disk."""
        with self._catalog.reading() as session:
            query = select(Recording.path, Recording.size_bytes, Recording.mtime_ns).where(
                Recording.path.in_([str(entry.path) for entry in chunk])
            )
            if self._retry_unusable:
                query = query.where(Recording.error.is_(None))
            known = {path: (size_bytes, mtime_ns) for path, size_bytes, mtime_ns in session.execute(query)}
        fresh = [entry for entry in chunk if known.get(str(entry.path)) != (entry.size_bytes, entry.mtime_ns)]
        self._report.unchanged += len(chunk) - len(fresh)
        advance(len(chunk) - len(fresh))
        return fresh

    def _read(self, chunk: list[Entry]) -> Generator[Reading | None]:
        """Readings in the order of ``chunk``, None for a file that could not be read."""
        futures = futures_ahead(
            lambda entry: read(entry, self._facts_of), chunk, threads=THREADS, ahead=READ_AHEAD
        )
        with contextlib.closing(futures):
            for entry, reading in futures:
                yield self._outcome(entry, reading)

    def _outcome(self, entry: Entry, reading: Future[Reading]) -> Reading | None:
        try:
            return reading.result()
        except FileNotFoundError:  # gone since the folder was listed
            self._report.recordings -= 1
        except OSError as error:
            self._report.unusable.add(f"{entry.path}: the file cannot be read: {error.strerror or error}")
        return None

    def _facts_of(self, sha256: str) -> AudioFacts | None:
        with self._catalog.reading() as session:
            return rows.facts_of_bytes(session, sha256)

    def _store(self, readings: Iterable[Reading | None], advance: Callable[[int], None]) -> None:
        batch: list[Reading] = []
        begun_s = time.monotonic()
        for reading in readings:
            if reading is not None:
                batch.append(reading)
            if len(batch) >= FILES_PER_TRANSACTION or time.monotonic() - begun_s > SECONDS_PER_TRANSACTION:
                self._commit(batch)
                batch, begun_s = [], time.monotonic()
            advance(1)
        self._commit(batch)

    def _commit(self, batch: list[Reading]) -> None:
        if not batch:
            return
        with self._catalog.session() as session:
            counts = rows.store_readings(session, batch)
            reach("archive.index.rows")
        reach("archive.index.stored")
        self._report.added += counts.added
        self._report.changed += counts.changed
        self._report.moved += counts.moved
        self._report.unchanged += counts.unchanged

    def _remove_gone(self) -> None:
        last_id = 0
        while True:
            with self._catalog.reading() as session:
                query = select(Recording.id, Recording.path).where(
                    is_below(self._folder), Recording.id > last_id
                )
                page = session.execute(query.order_by(Recording.id).limit(_LOOK_UP)).all()
            if not page:
                return
            last_id = page[-1].id
            gone = {row.id: row.path for row in page if is_gone(Path(row.path))}
            if gone:
                with self._catalog.session() as session:
                    removed = rows.remove_rows(session, gone)
                    reach("archive.index.removed")
                self._report.removed += removed

    def _is_known(self) -> bool:
        with self._catalog.reading() as session:
            return session.scalar(select(Recording.id).where(is_below(self._folder)).limit(1)) is not None

    def _unfit(self, path: Path, reason: str) -> None:
        self._report.recordings += 1
        self._report.unusable.add(f"{path}: {reason}")


def _chunks(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, length)):
        yield chunk
