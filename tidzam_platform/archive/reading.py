"""Opening one file of the archive: its hash, and what audio it holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidzam_platform.archive.erased_tag import joined, spans_of
from tidzam_platform.archive.exact_start import exact_start
from tidzam_platform.archive.scan import Entry
from tidzam_platform.audio.archive_names import ArchiveName
from tidzam_platform.errors import (
    AudioError,
    AudioNotFoundError,
    DecodingError,
    EmptyAudioError,
    UnknownAudioFormatError,
)
from tidzam_platform.files import sha256_of_file

MAX_RECORDING_S: Final = 366 * 24 * 3600.0  # a header that claims more is damaged, and would overflow times
_MAX_ERROR_LENGTH: Final = 1000  # of the column


@dataclass(frozen=True)
class AudioFacts:
    """What follows from the bytes of a file alone, so that equal hashes have equal facts.

    ``error`` is set, and the rest empty, for bytes that cannot be used. ``seconds`` is the length of the time
    axis, holes included; ``holes`` are [start_s, end_s) on it, erased audio among them.
    ``exact_start`` is what its recorder wrote into it.
    """

    codec: str | None = None
    rate_hz: int | None = None
    channels: int | None = None
    seconds: float | None = None
    holes: tuple[tuple[float, float], ...] = ()
    truncated: bool = False
    error: str | None = None
    exact_start: datetime | None = None


@dataclass(frozen=True)
class Reading:
    """A file that was opened.

    Size and time of change are from before it was read: the next run sees that it grew meanwhile.
    """

    path: str
    name: ArchiveName
    size_bytes: int
    mtime_ns: int
    sha256: str
    facts: AudioFacts


def read(entry: Entry, facts_of: Callable[[str], AudioFacts | None]) -> Reading:
    """Hash the file, and probe it unless ``facts_of`` (the hash) knows these bytes.

    Raises:
        FileNotFoundError: the file has gone.
        OSError: it cannot be read, which says nothing of its audio.
        MissingSystemPartError: what probing needs is not installed.
    """
    sha256 = sha256_of_file(entry.path)
    facts = facts_of(sha256) or _probe(entry)
    return Reading(str(entry.path), entry.name, entry.size_bytes, entry.mtime_ns, sha256, facts)


def _probe(entry: Entry) -> AudioFacts:
    from tidzam_platform.audio import probe

    try:
        info = probe(entry.path)
    except AudioNotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    except (EmptyAudioError, UnknownAudioFormatError, DecodingError) as error:
        return AudioFacts(error=_fitting(str(error).removeprefix(f"{entry.path}: ")))
    except AudioError as error:
        raise OSError(str(error)) from error
    if not (math.isfinite(info.seconds) and 0 < info.seconds <= MAX_RECORDING_S):
        return AudioFacts(error=f"it claims to last {info.seconds} s, which no recording does: it is damaged")
    return AudioFacts(
        info.codec,
        info.rate_hz,
        info.channels,
        info.seconds,
        joined([*info.holes, *spans_of(info.tags)]),  # what was erased is no silence
        info.truncated,
        exact_start=exact_start(info.tags),
    )


def _fitting(message: str) -> str:
    clean = message.encode(errors="replace").decode().replace("\0", "?")  # databases take neither
    return clean if len(clean) <= _MAX_ERROR_LENGTH else clean[: _MAX_ERROR_LENGTH - 1] + "…"
