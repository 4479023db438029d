"""Clips and recordings in a catalog, made for tests without any audio."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group, Recording, Source

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def make_clip(catalog: Catalog, name: str = "a", **changes: Any) -> int:
    """A row of a clip of 2 s; returns its number."""
    values = {
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "store_key": f"clips/{name}.flac", "codec": "flac", "rate_hz": 48_000, "channels": 1,
        "seconds": 2.0, "group": Group(key=f"clip/{name}"), "added_at": NOON,
    }  # fmt: skip
    clip = Clip(**{**values, **changes})
    with catalog.session() as session:
        session.add(clip)
    return clip.id


def make_recording(
    catalog: Catalog, name: str = "marsh-2026-04-01-12-00-00.opus", folder: str = "/archive", **changes: Any
) -> int:
    """A row of a recording of 60 s with three channels; returns its number."""
    source = name.partition("-")[0]
    with catalog.session() as session:
        values = {
            "source": session.query(Source).filter_by(name=source).one_or_none() or Source(name=source),
            "path": f"{folder}/{name}", "size_bytes": 1, "mtime_ns": 1, "codec": "opus", "rate_hz": 48_000,
            "channels": 3, "seconds": 60.0, "start": NOON, "end": NOON + timedelta(seconds=60),
        }  # fmt: skip
        row = Recording(**{**values, **changes})
        session.add(row)
    return row.id
