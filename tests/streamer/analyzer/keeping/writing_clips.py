"""A writer of clips that runs by itself, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamer.analyzer.keeping.disk_watch import DiskWatch
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.making_room import RoomMaker
from streamer.analyzer.keeping.writer import ClipWriter
from tests.support.parts import require_part
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

MB = 1_000_000


class Told(list[dict[str, Any]]):
    def __call__(self, name: str, **what: Any) -> None:
        self.append({"event": name, **what})


@contextmanager
def writing(
    settings: Settings, measure: Callable[[Path], int] = lambda _folder: 1 << 40
) -> Iterator[tuple[ClipWriter, Home, Path]]:
    """A writer of clips that runs, its home, and its spool."""
    require_part("ffmpeg")
    home, told = Home.open(settings), Told()
    folder = settings.home / "spool" / "clips"
    folder.mkdir(parents=True)
    disk = DiskWatch((folder,), settings.clips.disk_reserve_mb * MB, told, measure=measure)
    writer = ClipWriter(home, folder, Ledger(), disk, RoomMaker(home, disk, folder, settings.clips), told)
    writer.start()
    try:
        yield writer, home, folder
    finally:
        stopped = writer.stop(10)
        home.catalog.close()
    assert stopped
