"""Small archives made for tests, and what the catalog says of them."""

from __future__ import annotations

import random
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.audio.ogg_bytes import make_page
from tidzam_platform.archive import IndexReport, index_archive
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording

RATE_HZ = 8000
OPUS_RATE_HZ = 48_000
OPUS_PRE_SKIP = 312
OPUS_PACKET_FRAMES = 960
OPUS_SILENCE = b"\xf8\xff\xfe"  # 20 ms, CELT
FIRST_PAGE, LAST_PAGE = 2, 4  # RFC 3533


def make_recording(
    folder: Path, name: str, *, seconds: float = 0.1, channels: int = 1, seed: int | None = None
) -> Path:
    """A WAV file of noise; another ``seed`` (by default the name's) gives other bytes of the same size."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random(name if seed is None else seed)  # noqa: S311 - no secret
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(noise.randbytes(round(seconds * RATE_HZ) * channels * 2))
    return path


def make_silence(folder: Path, name: str, *, packets: int = 10) -> Path:
    """A mono Opus file of ``packets`` times 20 ms of silence, of other bytes for each name; made in no time."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    serial = zlib.crc32(name.encode())
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, OPUS_PRE_SKIP, OPUS_RATE_HZ, 0, 0)
    tags = struct.pack("<8sI4sI", b"OpusTags", 4, b"made", 0)
    pages = [
        make_page([head], granule=0, sequence=0, serial=serial, flags=FIRST_PAGE),
        make_page([tags], granule=0, sequence=1, serial=serial),
        make_page(
            [OPUS_SILENCE] * packets,
            granule=packets * OPUS_PACKET_FRAMES,
            sequence=2,
            serial=serial,
            flags=LAST_PAGE,
        ),
    ]
    path.write_bytes(b"".join(pages))
    return path


def index(catalog: Catalog, folder: Path, **options: Any) -> IndexReport:
    """``index_archive`` with a lock beside the folder."""
    return index_archive(catalog, folder, **{"locks_folder": folder.parent / "locks", **options})


def rows(catalog: Catalog) -> dict[str, Recording]:
    """All recordings by file name."""
    with catalog.reading() as session:
        return {Path(row.path).name: row for row in session.scalars(select(Recording))}


def contents(catalog: Catalog) -> list[tuple[object, ...]]:
    """Everything that the catalog says of recordings, but for their ids."""
    columns = [
        column.key for column in Recording.__mapper__.column_attrs if column.key not in {"id", "source_id"}
    ]
    with catalog.reading() as session:
        found = session.scalars(select(Recording).order_by(Recording.path)).all()
    return [(row.source.name, row.source.time_zone, *(getattr(row, key) for key in columns)) for row in found]


def counts(report: IndexReport) -> dict[str, int]:
    """The counts of a report that are not zero."""
    every = {
        "recordings": report.recordings,
        "added": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "unusable": report.unusable.count,
        "ignored": report.ignored.count,
    }
    return {what: number for what, number in every.items() if number}
