"""Plays a database of the archive from a date on, through all recordings that follow."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.archive_recordings import ArchivedFile, nothing_from, ns_of, recordings_from
from streamer.engine.sources.drift import Frames
from streamer.engine.sources.file_blocks import decoded_file
from tidzam_platform.catalog.database import Catalog
from tidzam_platform.errors import AudioError, SourceError

_LOG = logging.getLogger(__name__)
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True)
class Part:
    """Audio without a gap in time.

    Attributes:
        what: what it is, for people.
        channels: how many.
        utc_ns: when its first frame was sound, ns since 1970; None: now.
        blocks: float32 ``[frames, channels]`` at 48 kHz.
    """

    what: str
    channels: int
    utc_ns: int | None
    blocks: Iterator[Frames]


class ArchivePlayer:
    """A position in a database of the archive.

    Args:
        catalog: knows the recordings.
        database: what their names begin with.
        begin: from when on, aware UTC.
        cancellation: ends all waits and decoders.
    """

    def __init__(self, catalog: Catalog, database: str, begin: datetime, cancellation: Cancellation) -> None:
        self._catalog, self._database, self._begin = catalog, database, begin
        self._cancellation = cancellation
        self.skipped_files = 0
        """Recordings that could not be played and were left out."""

    def parts(self) -> Generator[Part, None, None]:
        """One recording after the other. Each part must be played before the next one is asked for.

        Raises:
            SourceError: the archive has no recording at that time or later.
            CatalogError: the catalog does not answer.
            FetchError: it was cancelled.
        """
        played = False
        for file, from_s in recordings_from(self._catalog, self._database, self._begin):
            try:
                with self._part(file, from_s) as part:
                    yield part
                    played = True
            except AudioError as error:
                self.skipped_files += 1
                _LOG.warning("source %s: a recording is left out: %s", self._database, error)
        if not played:
            raise SourceError(nothing_from(self._database, self._begin, self.skipped_files))

    @contextmanager
    def _part(self, file: ArchivedFile, from_s: float) -> Iterator[Part]:
        start_frame = round(from_s * ENGINE_RATE_HZ)
        with decoded_file(
            file.path, self._cancellation, start_frame=start_frame, known_s=file.seconds
        ) as decoded:
            start_ns = ns_of(file.start) + start_frame * _NS_PER_S // ENGINE_RATE_HZ
            yield Part(file.path.name, decoded.channels, start_ns, decoded.blocks)
