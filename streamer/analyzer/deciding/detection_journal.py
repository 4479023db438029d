"""Detections on disk until the catalog has them: an append-only journal.

::

    file      "TZDETEC1"  record*
    record    body length u32 | body CRC u32 | body                                   (little-endian; CRC-32, zlib)
    body      JSON: [id, generation, channel, start, end, class path, score]; times ISO 8601, UTC, to the microsecond
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from tidzam_platform.detections.detection import Detection
from tidzam_platform.files import exclusive, fsync_folder

MAGIC: Final = b"TZDETEC1"
SUFFIX: Final = ".detections"
FILE_BYTES: Final = 4 << 20
_MOST_BODY_BYTES: Final = 4096
_HEAD: Final = struct.Struct("<II")
_DIGITS: Final = 12
_LOG = logging.getLogger(__name__)


class DetectionJournal:
    """Numbered files of detections; a file goes when all of its detections are done. Any thread may use it.

    What is written survives kill -9 at once and a power cut after ``sync``. Its size is bounded by its user, who says
    that detections are done in about the order of writing: at most one file more than they take.

    Args:
        folder: for its files alone; made where it is missing.
        file_bytes: beyond, the next file is begun.

    Raises:
        BusyError: another process has the journal open.
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path, *, file_bytes: int = FILE_BYTES) -> None:
        self._folder, self._file_bytes = folder, file_bytes
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open = contextlib.ExitStack()
        self._open.enter_context(exclusive(folder / "lock", "another analyzer on this journal"))
        self._left: OrderedDict[int, int] = OrderedDict()  # detections of each file that are not done
        self._handle = -1
        self._writing = 0  # number of the file that is open
        self._size_bytes = 0  # of that file, up to the last whole record
        self._is_synced = True
        self.damaged = 0
        """Files that another process left with an end that is torn, or that cannot be read."""
        self._next_number = 1
        self._is_closed = False
        self._recovered = self._recover()

    def recovered(self) -> Sequence[tuple[Detection, int]]:
        """What another process left, oldest first, each with the number of its file; once."""
        recovered, self._recovered = self._recovered, []
        return recovered

    def append(self, detections: Sequence[Detection]) -> int:
        """Write them down, all or none; returns the number of their file, by which they are ``done`` later.

        Raises:
            OSError: the disk did not take them.
            ValueError, TypeError, AttributeError: one of them makes no sense.
        """
        data = b"".join(_record(detection) for detection in detections)
        with self._lock:
            if self._handle < 0 or (self._left.get(self._writing) and self._size_bytes >= self._file_bytes):
                self._begin()
            try:
                _write(self._handle, data, self._size_bytes)
            except OSError:
                with contextlib.suppress(OSError):  # what is there of it is passed over by its CRC
                    os.ftruncate(self._handle, self._size_bytes)
                self._close_file()  # nothing follows what may be torn
                raise
            self._size_bytes += len(data)
            self._is_synced = False
            self._left[self._writing] = self._left.get(self._writing, 0) + len(detections)
            return self._writing

    def sync(self) -> None:
        """What was written survives a power cut from now on; OSError if the disk does not say so."""
        with self._lock:
            self._sync()

    def done(self, numbers: Iterable[int]) -> None:
        """Detections of these files, one each, are in the catalog, or given up: they are not needed any more."""
        with self._lock:
            for number in numbers if not self._is_closed else ():
                self._left[number] -= 1
                if not self._left[number]:
                    del self._left[number]
                    self._empty(number)

    @property
    def waiting(self) -> int:
        """Detections that are not done."""
        with self._lock:
            return sum(self._left.values())

    def close(self) -> None:
        """Let go of the files; what is not done is there for the next process. May be called again."""
        with self._lock:
            with contextlib.suppress(OSError):
                self._sync()
            self._close_file()
            self._is_closed = True
        self._open.close()

    def _sync(self) -> None:
        if not self._is_synced and self._handle >= 0:
            os.fdatasync(self._handle)
            self._is_synced = True

    def _empty(self, number: int) -> None:
        """All of a file is done."""
        try:
            if number == self._writing and self._handle >= 0:
                os.ftruncate(self._handle, len(MAGIC))
                self._size_bytes = len(MAGIC)
            else:
                self._path(number).unlink(missing_ok=True)
        except OSError as error:  # they are told to the catalog again at the next start, and known there
            _LOG.warning("%s is not emptied: %s", self._path(number), error.strerror or error)

    def _begin(self) -> None:
        self._sync()
        self._close_file()
        number, self._next_number = self._next_number, self._next_number + 1
        path = self._path(number)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write(handle, MAGIC, 0)
            fsync_folder(self._folder)
        except OSError:
            os.close(handle)
            path.unlink(missing_ok=True)
            raise
        self._handle, self._writing, self._size_bytes = handle, number, len(MAGIC)

    def _close_file(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self._is_synced = -1, True
        if self._writing not in self._left:
            with contextlib.suppress(OSError):
                self._path(self._writing).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:0{_DIGITS}}{SUFFIX}"

    def _recover(self) -> list[tuple[Detection, int]]:
        found: list[tuple[Detection, int]] = []
        paths = [
            path
            for path in self._folder.glob(f"*{SUFFIX}")
            if path.stem.isascii() and path.stem.isdecimal() and len(path.stem) == _DIGITS
        ]
        for path in sorted(paths):
            number = int(path.stem)
            self._next_number = number + 1
            try:
                detections, is_whole = _read(path.read_bytes())
            except OSError as error:
                self.damaged += 1
                _LOG.error("%s cannot be read, and stays: %s", path, error.strerror or error)
                continue
            if not is_whole:
                self.damaged += 1
                _LOG.warning("%s: its end is torn; %d detections are whole", path, len(detections))
            if detections:
                self._left[number] = len(detections)
                found += [(detection, number) for detection in detections]
            else:
                path.unlink()
        return found


def _write(handle: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        offset, rest = offset + written, rest[written:]


def _record(detection: Detection) -> bytes:
    body = json.dumps(
        [
            detection.id,
            detection.generation,
            detection.channel,
            detection.start.isoformat(),
            detection.end.isoformat(),
            detection.class_path,
            float(detection.score),
        ],
        allow_nan=False,
    ).encode()
    if len(body) > _MOST_BODY_BYTES:
        raise ValueError(f"detection {detection.id} takes {len(body)} bytes, {_MOST_BODY_BYTES} are allowed")
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _read(data: bytes) -> tuple[list[Detection], bool]:
    """The detections up to the first record that is torn or damaged; whether there is none."""
    found: list[Detection] = []
    if not data.startswith(MAGIC):
        return found, not data
    offset = len(MAGIC)
    while offset < len(data):
        if offset + _HEAD.size > len(data):
            return found, False
        length, crc = _HEAD.unpack_from(data, offset)
        body = data[offset + _HEAD.size : offset + _HEAD.size + length]
        detection = _detection(body) if len(body) == length and zlib.crc32(body) == crc else None
        if detection is None:
            return found, False
        found.append(detection)
        offset += _HEAD.size + length
    return found, True


def _detection(body: bytes) -> Detection | None:
    """What ``_record`` wrote; None if it makes no sense."""
    try:
        identity, generation, channel, start, end, class_path, score = json.loads(body)
        begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
        return Detection(identity, generation, channel, begins, ends, class_path, float(score))
    except (ValueError, TypeError, RecursionError):
        return None
