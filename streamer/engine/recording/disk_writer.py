"""The disk, seen from a recorder: writing pages and finishing files takes as long as it takes, and audio goes on."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamer.engine.recording.recording_file import RecordingFile
from streamer.engine.recording.recovery import recover
from tidzam_platform.errors import RecordingError

WAITING_FILES: Final = 2  # to be finished; beyond, the recorder waits, and the ring with it
_LOG = logging.getLogger(__name__)


class DiskWriter:
    """A thread that writes the pages of the file that is recorded, and finishes those before.

    Args:
        name: of the source.
        folder: of its recordings.
        on_finished: told of each file that has its name; must not raise.
    """

    def __init__(self, name: str, folder: Path, on_finished: Callable[[Path], None] | None) -> None:
        self._folder, self._on_finished = folder, on_finished
        self._condition = threading.Condition()
        self._dirty: RecordingFile | None = None
        self._complete: deque[tuple[RecordingFile, bool]] = deque()
        self._ends = False
        self._is_owing = False  # a hidden file is left that has not got its name
        self.problem = ""
        self._counts = {
            "finished_files": 0,
            "empty_files": 0,
            "unfinished_files": 0,
            "encoder_lost_frames": 0,
        }
        self._thread = threading.Thread(target=self._run, name=f"tidzam-disk-{name}", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def write(self, file: RecordingFile) -> None:
        """There are pages of ``file``, the one that is recorded. Does not wait."""
        with self._condition:
            self._dirty = file
            self._condition.notify_all()

    def finish(self, file: RecordingFile, *, is_broken: bool = False) -> None:
        """Finish ``file``, or keep what there is of a broken one. Waits while too many are to be finished."""
        with self._condition:
            if len(self._complete) >= WAITING_FILES:
                self.problem = (
                    f"the disk of {self._folder} is too slow: {len(self._complete)} recordings wait for it"
                )
                _LOG.warning("%s", self.problem)
                self._condition.wait_for(lambda: len(self._complete) < WAITING_FILES)
            self._complete.append((file, is_broken))
            self._condition.notify_all()

    def end_when_done(self) -> None:
        """No more files come."""
        with self._condition:
            self._ends = True
            self._condition.notify_all()

    def stop(self, timeout_s: float) -> bool:
        """Wait until all are finished; returns whether they are."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        return dict(self._counts)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._dirty or self._complete or self._ends)
                dirty, self._dirty = self._dirty, None
                complete = self._complete[0] if self._complete else None
                if dirty is None and complete is None:
                    return
            if dirty is not None:
                dirty.write_pages()
            if complete is not None:
                self._finish(*complete)
                with self._condition:
                    self._complete.popleft()
                    self._condition.notify_all()

    def _finish(self, file: RecordingFile, is_broken: bool) -> None:
        published = self._published(file, is_broken)
        self._counts["encoder_lost_frames"] += file.fed_frames - file.written_frames
        if published is not None:
            self._tell(published)
            if self._is_owing:  # the disk works again
                recovery = recover(self._folder)
                self._is_owing = bool(recovery.failed)
                for path in recovery.recovered:
                    self._tell(path)

    def _published(self, file: RecordingFile, is_broken: bool) -> Path | None:
        try:
            try:
                published = file.salvage() if is_broken else file.finish()
            except RecordingError as error:
                self._note(error)
                published = file.salvage()
        except RecordingError as error:
            self._note(error)
            file.abandon()
            self._counts["unfinished_files"] += 1
            self._is_owing = True
            return None
        if published is None:
            self._counts["empty_files"] += 1
        return published

    def _tell(self, published: Path) -> None:
        self._counts["finished_files"] += 1
        self.problem = ""
        if self._on_finished is not None:
            self._on_finished(published)

    def _note(self, error: RecordingError) -> None:
        self.problem = str(error)
        _LOG.warning("%s", error)
