"""Names of archive files, ``<database>-YYYY-MM-DD-HH-MM-SS.<extension>``, and the UTC that they mean.

A name carries the recorder's wall clock. The zone of that clock is declared once per source (IANA, e.g.
``Europe/Paris``); twice a year the clock jumps, and then a name may mean two moments or none:

- **none** (the clock went forward over it): the moment that the clock would have shown without the jump, i.e.
  02:30 becomes 03:30. This is what :pep:`495` prescribes for ``fold=0``.
- **two** (the clock went back over it): see :mod:`tidzam_platform.archive.times`, which knows the neighbours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidzam_platform.errors import ArchiveError, InvalidNameError
from tidzam_platform.names import valid_source

EXTENSIONS: Final = ("opus", "ogg", "flac", "wav")
# A recorder with a dead clock writes 1970 or 2000; a year beyond these is no recorder's.
MIN_YEAR: Final = 1900
MAX_YEAR: Final = 9000
_NAME = re.compile(
    r"(?P<database>.+)-"
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2})"
    rf"\.(?P<extension>{'|'.join(EXTENSIONS)})",
    re.DOTALL,
)


@dataclass(frozen=True, order=True)
class ArchiveName:
    """A parsed file name. ``local_time`` is naive, to the second, on the recorder's wall clock."""

    database: str
    local_time: datetime
    extension: str

    def __str__(self) -> str:
        return f"{self.database}-{self.local_time:%Y-%m-%d-%H-%M-%S}.{self.extension}"


def looks_like_recording(file_name: str) -> bool:
    """Whether the name has the pattern of the archive; its date may still be impossible."""
    return _NAME.fullmatch(file_name) is not None


def parse_archive_name(file_name: str) -> ArchiveName:
    """Read a file name (without folders); ``str()`` of the result is the name again.

    Raises:
        ArchiveError: the name has another pattern, no valid source, or a date that no calendar has.
    """
    match = _NAME.fullmatch(file_name)
    if match is None:
        raise ArchiveError(
            f"{file_name!r} is no name of a recording: write <database>-YYYY-MM-DD-HH-MM-SS.<extension>, "
            f"with one of the extensions {', '.join(EXTENSIONS)}"
        )
    try:
        database = valid_source(match["database"])
        year, month, day, hour, minute, second = map(int, match["time"].split("-"))
        local_time = _in_range(datetime(year, month, day, hour, minute, second))  # noqa: DTZ001 - a wall clock
    except (InvalidNameError, ValueError) as error:
        raise ArchiveError(f"{file_name!r} is no name of a recording: {error}") from error
    return ArchiveName(database, local_time, match["extension"])


def format_archive_name(database: str, local_time: datetime, extension: str) -> str:
    """Name of the file that ``database`` began at the naive ``local_time`` (fractions of a second are cut).

    Raises:
        InvalidNameError: ``database`` cannot name a source.
        ArchiveError: another extension, a time with a zone, or a year out of range.
    """
    if extension not in EXTENSIONS:
        raise ArchiveError(f"{extension!r} is no extension of the archive: one of {', '.join(EXTENSIONS)}")
    if local_time.tzinfo is not None:
        raise ArchiveError(
            f"{local_time!r} has a zone; names carry the wall clock of the source: convert it first"
        )
    try:
        begun = _in_range(local_time.replace(microsecond=0))
    except ValueError as error:
        raise ArchiveError(f"{local_time.isoformat()} cannot name a recording: {error}") from error
    return str(ArchiveName(valid_source(database), begun, extension))


def _in_range(local_time: datetime) -> datetime:
    if not MIN_YEAR <= local_time.year <= MAX_YEAR:
        raise ValueError(f"the year must lie between {MIN_YEAR} and {MAX_YEAR}")
    return local_time


def time_zone(name: str) -> ZoneInfo:
    """The zone called ``name``.

    Raises:
        ArchiveError: the IANA database has no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Europe" is a folder: OSError
        raise ArchiveError(
            f"{name!r} is no time zone: use a name of the IANA database, such as UTC or Europe/Paris"
        ) from error


@dataclass(frozen=True)
class Moments:
    """What a wall-clock time means, in UTC.

    ``first == second`` for an ordinary time; they differ when the clock went back over it. ``missing`` is set
    when the clock went forward over it: both are then the moment that it would have shown without the jump.
    """

    first: datetime
    second: datetime
    missing: bool

    @property
    def ambiguous(self) -> bool:
        """Whether the wall clock showed this time twice."""
        return self.first != self.second


def moments_of(local_time: datetime, zone: ZoneInfo) -> Moments:
    """The moments at which a clock in ``zone`` shows the naive ``local_time``.

    Raises:
        ArchiveError: the moment lies outside the years that we can represent.
    """
    try:
        before = local_time.replace(tzinfo=zone, fold=0).astimezone(UTC)
        after = local_time.replace(tzinfo=zone, fold=1).astimezone(UTC)
        shown = before.astimezone(zone).replace(tzinfo=None)
    except OverflowError as error:
        raise ArchiveError(
            f"{local_time.isoformat()} in {zone.key} lies outside the years 1 to 9999"
        ) from error
    # In a gap fold=0 counts with the offset from before the jump, fold=1 with the one after it (PEP 495).
    missing = shown != local_time.replace(fold=0)
    return Moments(before, before if missing else after, missing)
