"""Which sources are written to the archive: a recorder for each ring of a source that asks for it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Final, Self

from streamer.engine.recording import ArchiveIndexer, ArchiveRecorder, RecordingPlan, plan_of, recover
from streamer.engine.rings import SourceRing
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.audio.archive_names import time_zone
from tidzam_platform.errors import TidzamError
from tidzam_platform.settings import Settings

_LOG = logging.getLogger(__name__)
UNCHECKED: Final = "unchecked"
"""Folder, below the archive, of what people send from browsers and want kept."""


class Archiving:
    """Starts and stops recorders as rings come and go. A context; for any thread.

    On entering, what a killed engine left half-written in the archive is made whole.

    Args:
        settings: where the archive is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._recorders: dict[Path, tuple[str, ArchiveRecorder]] = {}
        self._ended: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._indexer = ArchiveIndexer(settings)

    def __enter__(self) -> Self:
        self._indexer.start()
        done = recover(self._settings.archive_folder)
        for path in [*done.recovered, *done.damaged]:
            _LOG.info("%s was left unfinished: made whole, or put aside if it is damaged", path)
        for problem in done.failed:
            _LOG.error("an unfinished recording stays: %s", problem)
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            recorders, self._recorders = list(self._recorders.values()), {}
        for name, recorder in recorders:
            self._stopped(name, recorder)
        self._indexer.stop()

    def ring_opened(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:
        """Record ``ring`` from its first frame on, if the source asks for it."""
        if not specification.record:
            return
        try:
            self.record(source, ring, plan_of(specification, self._settings))
        except TidzamError as error:
            self._problems[source] = str(error)
            _LOG.error("%s is not recorded: %s", source, error)

    def record(self, source: str, ring: SourceRing, plan: RecordingPlan) -> None:
        """Record ``ring`` as ``plan`` says."""
        recorder = ArchiveRecorder(
            ring,
            plan,
            first_frame=ring.written_frames,
            on_finished=lambda _path: self._indexer.add(plan.folder, plan.zone.key),
        )
        with self._lock:
            self._recorders[ring.path] = (source, recorder)
        self._problems.pop(source, None)
        recorder.start()
        self._indexer.add(plan.folder, plan.zone.key)  # what a killed engine left there is whole now

    def ring_closed(self, ring: SourceRing) -> None:
        """What is in the ring is still written; then its recorder ends."""
        with self._lock:
            known = self._recorders.pop(ring.path, None)
        if known is not None:
            self._stopped(*known)

    def unchecked_plan(self, name: str) -> RecordingPlan:
        """Where the stream of a browser is kept: in ``unchecked``, as lossless as it came."""
        return RecordingPlan(
            source=name,
            database=name,
            folder=self._settings.archive_folder / UNCHECKED,
            zone=time_zone("UTC"),
            file_s=self._settings.recording.file_s,
            bitrate_kbps=self._settings.recording.bitrate_kbps,
            codec="flac",
        )

    def status_of(self, source: str) -> dict[str, Any]:
        """State, folder, file and problem of the recording of a source; empty if it is not recorded."""
        with self._lock:
            for name, recorder in self._recorders.values():
                if name == source:
                    return recorder.status()
        problem = self._problems.get(source)
        return {"state": "failing", "problem": problem} if problem else {}

    def counts(self) -> dict[str, int]:
        """Sums over all recorders since the start, and those of the index."""
        with self._lock:
            sums = dict(self._ended)
            for _, recorder in self._recorders.values():
                _add(sums, recorder.counts())
            running = len(self._recorders)
        return {**sums, "recorders": running, **self._indexer.counts()}

    def _stopped(self, name: str, recorder: ArchiveRecorder) -> None:
        if not recorder.stop():
            _LOG.error(
                "the recorder of %s did not end in time; what it has is made whole at the next start", name
            )
        with self._lock:
            _add(self._ended, recorder.counts())


def _add(sums: dict[str, int], counts: dict[str, int]) -> None:
    for name, value in counts.items():
        sums[name] = sums.get(name, 0) + value
