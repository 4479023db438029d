"""Clips as files in a folder of the user."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.writer import ClipJob
from tidzam_platform.clips.flac import read_flac_head
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.recording_clips import clip_bytes
from tidzam_platform.errors import DecodingError, RecordingError
from tidzam_platform.files import remove_empty_partial_folder, write_whole

MAX_QUEUED: Final = 32  # clips
_STOP_S: Final = 30.0
_LOOK_S: Final = 0.2
_HEAD_BYTES: Final = 1 << 17
_CLASS_LETTERS: Final = 100  # of a file's name


@dataclass(frozen=True)
class WrittenClip:
    """A clip in the folder; ``is_new``: it was not there before."""

    path: Path
    metadata: ClipMetadata
    is_new: bool


class FolderWriter:
    """A thread that writes each clip to ``<folder>/<destination>/<class>_<channel>_<start>.flac``.

    No file is overwritten: one of the same name with other sound gets company. The same stretch of a channel is written
    once, whichever rules and windows it was cut for, also where it lay there before. Started and stopped once.

    Args:
        folder: where to; it is made.
        ledger: told of what is written.
        waits: whether ``submit`` waits for room in the queue, as is right for files, or refuses.
    """

    def __init__(self, folder: Path, ledger: Ledger, *, waits: bool) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._ledger, self._waits = folder, ledger, waits
        self._jobs: queue.Queue[ClipJob] = queue.Queue(MAX_QUEUED)
        self._stopping = threading.Event()
        self._problem: Exception | None = None
        self._written: deque[WrittenClip] = deque()
        self._thread = threading.Thread(target=self._run, name="tidzam-extraction", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> None:
        """Write what waits, and end; ``written`` raises where that takes longer."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self.is_running:
            waiting = self._jobs.qsize() + 1
            self._problem = RecordingError(
                f"{waiting} clips are not in {self._folder}: its disk takes them too slowly"
            )
        remove_empty_partial_folder(self._folder)

    @property
    def is_running(self) -> bool:
        """Whether its thread works."""
        return self._thread.is_alive()

    @property
    def accepts(self) -> bool:
        """Whether it still writes."""
        return self._problem is None and not self._stopping.is_set()

    def submit(self, job: ClipJob) -> bool:
        """Write a clip soon; False if too many wait, or if it writes no more."""
        while self.accepts:
            try:
                self._jobs.put(job, timeout=_LOOK_S if self._waits else 0)
            except queue.Full:
                if not self._waits:
                    return False
            else:
                return True
        return False

    def written(self) -> Iterator[WrittenClip]:
        """What was written since this was asked last.

        Raises:
            OSError, TidzamError: the last one could not be; nothing is written any more.
        """
        while self._written:
            yield self._written.popleft()
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        while self._problem is None and not (self._stopping.is_set() and self._jobs.empty()):
            try:
                job = self._jobs.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            try:
                self._write(job)
            except Exception as error:  # noqa: BLE001 - raised to who asks for what was written
                self._problem = error
                return

    def _write(self, job: ClipJob) -> None:
        about, data = job.metadata, clip_bytes(job.samples, job.metadata)
        folder = self._folder / about.destination
        folder.mkdir(exist_ok=True)
        known = _same_stretch(folder, about, data)
        path = known or folder / f"{name_of(about)}.flac"
        is_new = known is None
        if is_new:
            if path.exists():
                path = path.with_stem(f"{path.stem}_{hashlib.sha256(data).hexdigest()[:8]}")
            write_whole(path, data, self._folder)
            self._ledger.record(about.class_path, about.rule_id)
        else:
            self._ledger.give_up(about.class_path, about.rule_id)
        self._written.append(WrittenClip(path, about, is_new))


def name_of(about: ClipMetadata) -> str:
    """Name of a clip's file without its ending: ``birds-robin_marsh-out_1_2026-04-01T12-00-00.500Z``."""
    return f"{about.class_path[:_CLASS_LETTERS]}_{_stretch_name(about)}"


def _stretch_name(about: ClipMetadata) -> str:
    start, channel = about.start, about.channel.replace(":", "-")
    return f"{channel}_{start:%Y-%m-%dT%H-%M-%S}.{start.microsecond // 1000:03d}Z"


def _same_stretch(folder: Path, about: ClipMetadata, data: bytes) -> Path | None:
    """The file that holds the same frames of the same channel already, of any class and rule."""
    head = read_flac_head(data)
    for path in sorted(folder.glob(f"*_{_stretch_name(about)}*.flac")):
        try:
            with path.open("rb") as handle:
                other = read_flac_head(handle.read(_HEAD_BYTES))
            there = ClipMetadata.from_comments(other.comments)
        except DecodingError:  # of another origin
            continue
        if (there.channel, there.start_utc_ns) == (about.channel, about.start_utc_ns) and (
            (other.frames, other.md5) == (head.frames, head.md5)
        ):
            return path
    return None


def count_clips(folder: Path) -> Counter[str]:
    """Clips below a folder by the class that they were kept for; other files do not count."""
    counts = Counter[str]()
    for path in folder.rglob("*.flac"):
        try:
            with path.open("rb") as handle:
                head = read_flac_head(handle.read(_HEAD_BYTES))
            counts[ClipMetadata.from_comments(head.comments).class_path] += 1
        except DecodingError:  # of another origin
            continue
    return counts
