"""A file as a run of a source, and its sound where clips are cut from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Self

from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.windows import Geometry, Run
from streamer.engine.sources.archive_recordings import ns_of, zone_of_database
from tidzam_platform.archive.exact_start import START_TAG, exact_start, fits_name, parse_ns
from tidzam_platform.audio import AudioInfo, decode_blocks
from tidzam_platform.audio.archive_names import moments_of, parse_archive_name, time_zone
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips.recording_clips import CLIP_RATE_HZ
from tidzam_platform.errors import ArchiveError
from tidzam_platform.names import MAX_NAME_LENGTH

BLOCK_S: Final = 1.0
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]+")


def run_of_file(path: Path, info: AudioInfo, geometry: Geometry, catalog: Catalog | None) -> Run:
    """The run that a file is.

    Its start is what its recorder wrote into it, else what its name says on the clock of its source; of a file with
    neither it is the beginning of 1970, so that times of clips count from the file's start. The source is the name
    without its time, else the name, with ``-`` for letters that no source has. Without a catalog clocks show UTC.
    """
    start_ns = parse_ns(info.tags.get(START_TAG.lower(), ""))
    try:
        name = parse_archive_name(path.name)
    except ArchiveError:
        source = _ODD.sub("-", path.stem).strip("-_")[:MAX_NAME_LENGTH] or "file"
        return Run(source, start_ns or 0, geometry)
    exact = exact_start(info.tags)
    if start_ns is None or exact is None or not fits_name(exact, name.local_time):
        zone = None if catalog is None else zone_of_database(catalog, name.database)
        start_ns = ns_of(moments_of(name.local_time, time_zone(zone or "UTC")).first)
    return Run(name.database, start_ns, geometry)


class RecordedSound:
    """Lets a history hear a file, as far as somebody has come in it. A context.

    Args:
        path: the file.
        info: what ``probe`` said of it.
        run: that it is.
        history: gets all of its channels.
    """

    def __init__(self, path: Path, info: AudioInfo, run: Run, history: AudioHistory) -> None:
        self._run, self._history = run, history
        self._numbers = range(1, info.channels + 1)
        self._blocks = decode_blocks(path, rate_hz=CLIP_RATE_HZ, block_s=BLOCK_S, info=info)
        self._heard_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._blocks.close()

    def advance(self, until_s: float) -> None:
        """Hear until this second of the file, or its end; raises as ``decode_blocks``."""
        while self._heard_s < until_s and (block := next(self._blocks, None)) is not None:
            self._history.append(
                self._run.source, self._numbers, self._run.anchor_utc_ns, block.start_frame, block.samples
            )
            self._heard_s = (block.start_frame + block.samples.shape[1]) / CLIP_RATE_HZ
