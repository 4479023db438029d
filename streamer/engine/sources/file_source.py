"""A file, or recordings of the archive, played sample by sample at the speed of the graph."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from streamer.engine.fetching import open_local
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.archive_player import ArchivePlayer, Part
from streamer.engine.sources.archive_recordings import FROM_THE_FIRST
from streamer.engine.sources.attempt import Attempt, exact_zeros
from streamer.engine.sources.channel_map import ChannelMap
from streamer.engine.sources.file_blocks import decoded_file
from tidzam_platform.errors import AudioError, EmptyAudioError

_LOG = logging.getLogger(__name__)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class FileFeed:
    """A file of one of the folders that may be played. See ``attempt.Feed``."""

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``."""
        path = attempt.specification.path
        assert path is not None  # noqa: S101 - the manager chose this feed by it
        with open_local(path, attempt.context.settings) as file:
            # What was checked is what is read: the open file, whatever its name means by now.
            opened = Path(f"/proc/{os.getpid()}/fd/{file.handle.fileno()}")
            try:
                with decoded_file(opened, attempt.cancellation) as decoded:
                    attempt.memory.details = {"container": file.container.name, "file": file.path.name}
                    part = Part(file.path.name, decoded.channels, None, decoded.blocks)
                    play_part(attempt, part)
            except AudioError as error:
                raise type(error)(str(error).replace(str(opened), str(file.path))) from error
        play_out(attempt)
        return "it has played to its end"


class ArchiveFeed:
    """A database of the archive from a date on. It goes on where it was when it is started again after a fault.

    Args:
        database: what the names of the recordings begin with.
        begin: from when on; None for the first recording.
    """

    def __init__(self, database: str, begin: datetime | None) -> None:
        self._database = database
        self._begin = begin or FROM_THE_FIRST
        self._next = self._begin

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``."""
        skipped_files = 0
        while True:
            player = ArchivePlayer(
                attempt.context.open_catalog(), self._database, self._next, attempt.cancellation
            )
            with contextlib.closing(player.parts()) as parts:
                for part in parts:
                    skipped_files += self._play(attempt, part)
                    attempt.memory.details = {
                        "recording": part.what,
                        "skipped_files": skipped_files + player.skipped_files,
                    }
                    if attempt.memory.jumps.wanted:
                        break
            if (moment := attempt.memory.jumps.take()) is not None:
                self._next = moment
                _flush(attempt)
                continue
            play_out(attempt)
            if attempt.memory.jumps.wanted:
                continue
            self._next = self._begin
            return f"the archive has no more of {self._database!r}"

    def _play(self, attempt: Attempt, part: Part) -> int:
        """Play a recording; returns 1 if the rest of it had to be left out, else 0."""
        assert part.utc_ns is not None  # noqa: S101 - recordings have a time
        attempt.memory.details = attempt.memory.details | {"recording": part.what}
        frames = 0
        try:
            for written in _written(attempt, part):
                frames += written
        except AudioError as error:
            _LOG.warning("source %s: the rest of a recording is left out: %s", self._database, error)
            return 1
        finally:
            reached_us = part.utc_ns // 1000 + frames * 1_000_000 // ENGINE_RATE_HZ
            self._next = _EPOCH + timedelta(microseconds=reached_us)
        return 0


def play_part(attempt: Attempt, part: Part) -> None:
    """Play all of it; FetchError if it was cancelled."""
    for _ in _written(attempt, part):
        pass


def play_out(attempt: Attempt) -> None:
    """Wait until all that was written has been played; FetchError if it was cancelled."""
    ring = attempt.ring
    if ring is not None and not attempt.paced_writer(ring).play_out():
        attempt.cancellation.require_going()


def _written(attempt: Attempt, part: Part) -> Iterator[int]:
    """Write a part; yields the frames of each block when it is in the ring, and ends early for a jump."""
    channels = ChannelMap(attempt.specification, part.channels)
    before = attempt.ring
    if before is not None and before.channels != channels.channels:
        play_out(attempt)  # before its ring is taken away
    ring = attempt.open_ring(channels)
    writer = attempt.paced_writer(ring)
    watchdog = attempt.watchdog(stalls=False)
    ring.set_anchor(attempt.heard_at_ns(ring) if part.utc_ns is None else part.utc_ns)
    for block in part.blocks:
        mapped = channels.apply(block)
        attempt.gives_samples()
        watchdog.note(len(mapped), are_zeros=exact_zeros(mapped))
        if not writer.write(mapped):
            attempt.cancellation.require_going()
            return
        attempt.judge(watchdog)
        yield len(mapped)
    if attempt.played_s == 0.0:
        raise EmptyAudioError(f"{part.what}: no audio in it")


def _flush(attempt: Attempt) -> None:
    if attempt.ring is not None:
        attempt.ring.flush()
