"""Where things stand in the file of a ring, and the mapped file itself.

Every number of the header is an aligned 8-byte integer (``int64``: frames never come near 2**63) that one party alone
writes. Words of different writers stand on different cache lines.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import AudioGraphError, EngineUnavailableError

Words = NDArray[np.int64]

MAGIC: Final = int.from_bytes(b"TidzRing", "little")
LAYOUT_VERSION: Final = 1
SOURCE_KIND: Final = 1
CHANNELS_KIND: Final = 2

# Set once by the engine, before any reader can open the file (word numbers).
W_MAGIC: Final = 0
W_VERSION: Final = 1
W_KIND: Final = 2
W_CHANNELS: Final = 3  # of a source, or slots
W_CAPACITY: Final = 4  # frames
W_RATE: Final = 5  # Hz
W_CLOSED: Final = 6  # 1 when the engine has let go of it
W_NAME_BYTES: Final = 7

# Written by the producer: a feeder thread, or for the channels the graph's callback.
W_CLAIMED: Final = (
    8  # frames before this one may be overwritten once they are a capacity old; set before the copy
)
W_WRITTEN: Final = 9  # frames before this one are whole; set after the copy
W_OVERFLOW: Final = 10  # frames that had no room and were dropped
W_PLAYING: Final = 11  # 0, 1 or 2, see Playing
W_FLUSH_TO: Final = 12  # what was written before this frame shall not be played any more
W_ANCHORS_CLAIMED: Final = 13
W_ANCHORS_WRITTEN: Final = 14
W_INTERRUPT: Final = 15  # ends a wait inside fill_from

# Written by the graph's callback.
W_PLAYED: Final = 16  # the next source frame to be played
W_UNDERFLOW: Final = 17  # frames of silence because there was nothing to play
W_CYCLES: Final = 18  # calls of the callback
W_MISSED: Final = 19  # frames of the graph's time in which the callback was not called
W_SEGMENTS_CLAIMED: Final = 20
W_SEGMENTS_WRITTEN: Final = 21
W_NEXT_JACK: Final = 22  # the jack frame after the last one that was computed; -1 before the first
W_LAST_KIND: Final = 23  # kind of the newest segment; -1 before the first
W_LAST_SHIFT: Final = (
    24  # of the newest segment: source frame minus jack frame, or jack frame minus ring frame
)
W_NEXT_US: Final = 25  # of a source: when the next cycle is due by the system's clock; 0 before the first
# Of the channels: how late cycles are, see record_kernel. Kept here, for they outlive a JACK server.
W_XRUNS_SEEN: Final = 26
W_CYCLE_FRAMES: Final = 27  # of the last cycle
W_PENDING: Final = 28  # cycles until the time lost is known
W_PENDING_FRAME: Final = 29  # the ring frame at which it was noticed
W_PENDING_LATE: Final = 30  # least lateness since
W_LATE_BEFORE: Final = 31  # least lateness of the window before this one
W_LATE_NOW: Final = 32
W_WINDOW: Final = 33  # frames of the present window so far
WORDS: Final = 64

NAME_OFFSET: Final = 512  # bytes
NAME_MAX_BYTES: Final = 512
ANCHORS_OFFSET: Final = 1024
ANCHORS: Final = 64
ANCHOR_WORDS: Final = 2  # source frame, UTC in ns since 1970
SEGMENTS_OFFSET: Final = 4096
SEGMENTS: Final = 1024
SEGMENT_WORDS: Final = 4
DATA_OFFSET: Final = SEGMENTS_OFFSET + SEGMENTS * SEGMENT_WORDS * 8
CAPACITY_STEP: Final = 1024  # frames: a slot of float32 then begins on a page

BYTES_PER_SAMPLE: Final = 4


def capacity_of(seconds: float, rate_hz: int) -> int:
    """Frames of a ring that holds at least ``seconds``, rounded up to whole pages."""
    return -(-round(seconds * rate_hz) // CAPACITY_STEP) * CAPACITY_STEP


class MappedRing:
    """A ring's file in memory: header, tables and samples. Base of the rings; use those.

    The memory stays as long as this object or any view of it: a callback, a feeder or a reader that comes late finds
    what was there last, and never a hole.

    ``words`` is the header, int64 ``[64]``; ``anchors`` int64 ``[64, 2]``; ``segments`` int64 ``[1024, 4]``.
    """

    kind: ClassVar[int]

    def __init__(self, path: Path, writable: bool) -> None:
        mapping = map_file(path, kind=self.kind, writable=writable)
        self.path = path
        self._mapping = mapping
        self.words: Words = np.frombuffer(mapping, np.int64, WORDS)
        self.anchors: Words = np.frombuffer(mapping, np.int64, ANCHORS * ANCHOR_WORDS, ANCHORS_OFFSET)
        self.anchors = self.anchors.reshape(ANCHORS, ANCHOR_WORDS)
        self.segments: Words = np.frombuffer(mapping, np.int64, SEGMENTS * SEGMENT_WORDS, SEGMENTS_OFFSET)
        self.segments = self.segments.reshape(SEGMENTS, SEGMENT_WORDS)
        self.channels = int(self.words[W_CHANNELS])
        self.capacity_frames = int(self.words[W_CAPACITY])
        self.rate_hz = int(self.words[W_RATE])
        length = int(self.words[W_NAME_BYTES])
        self.name = mapping[NAME_OFFSET : NAME_OFFSET + length].decode()
        self._is_ours = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a ring of an engine to read it.

        Raises:
            EngineUnavailableError: the file is gone.
            AudioGraphError: it is no ring of this version.
        """
        return cls(path, writable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; its maker also removes the file. Readers that have it open may read what is left.

        Close what plays or records it before.
        """
        if self._is_ours:
            self.words[W_CLOSED] = 1
            self.path.unlink(missing_ok=True)
            self._is_ours = False

    @property
    def written_frames(self) -> int:
        """Frames written since the ring was made; the next one written gets this number."""
        return int(self.words[W_WRITTEN])

    @property
    def claimed_frames(self) -> int:
        """Frames that are or may be written just now; what is a capacity older than this is lost."""
        return int(self.words[W_CLAIMED])

    @property
    def is_closed(self) -> bool:
        """Whether the engine has closed the ring: no more frames will come."""
        return bool(self.words[W_CLOSED])

    @property
    def samples(self) -> NDArray[np.float32]:
        """All samples, flat, float32 ``[capacity * channels]``; a view of the shared memory."""
        count = self.capacity_frames * self.channels
        return np.frombuffer(self._mapping, np.float32, count, DATA_OFFSET)

    def address(self) -> int:
        """Where the mapping begins in this process; valid while the ring (or any view of it) lives."""
        return int(self.words.ctypes.data)


def make_file(
    path: Path, *, kind: int, channels: int, capacity_frames: int, rate_hz: int, name: str, reserve_bytes: int
) -> mmap.mmap:
    """Make the file of a ring and map it. Only the first ``reserve_bytes`` of the samples get memory now.

    Raises:
        AudioGraphError: there is not enough shared memory, or the name is too long.
    """
    encoded = name.encode()
    if len(encoded) > NAME_MAX_BYTES:
        raise AudioGraphError(f"the name {name[:40]!r}... of a ring is longer than {NAME_MAX_BYTES} bytes")
    size = DATA_OFFSET + capacity_frames * channels * BYTES_PER_SAMPLE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
        reserve(descriptor, 0, DATA_OFFSET + reserve_bytes, path)
        mapping = mmap.mmap(descriptor, size)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    words = np.frombuffer(mapping, np.int64, WORDS)
    mapping[NAME_OFFSET : NAME_OFFSET + len(encoded)] = encoded
    words[W_VERSION], words[W_KIND] = LAYOUT_VERSION, kind
    words[W_CHANNELS], words[W_CAPACITY], words[W_RATE] = channels, capacity_frames, rate_hz
    words[W_NAME_BYTES] = len(encoded)
    words[W_NEXT_JACK] = words[W_LAST_KIND] = -1
    words[W_MAGIC] = MAGIC
    return mapping


def reserve(descriptor: int, offset: int, length: int, path: Path) -> None:
    """Give the bytes real memory now: a full tmpfs must not end the process later, by SIGBUS in the callback."""
    try:
        os.posix_fallocate(descriptor, offset, length)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM):
            raise
        raise AudioGraphError(
            f"no room for {length / 2**20:.0f} MiB of samples in {path.parent}: lower graph.max_channels or "
            "graph.ring_s, or give the container more shared memory (docker: --shm-size)"
        ) from error


def map_file(path: Path, *, kind: int, writable: bool) -> mmap.mmap:
    """Map the file of a ring that another party made.

    Raises:
        EngineUnavailableError: it is gone; its engine ended or closed it.
        AudioGraphError: the file is no ring of this kind and version.
    """
    try:
        descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise EngineUnavailableError(
            f"the ring {path.name} is gone: its engine has ended, or let go of it; look into the directory again"
        ) from error
    try:
        size = os.fstat(descriptor).st_size
        if size < DATA_OFFSET:
            raise AudioGraphError(f"{path} is no ring of Tidzam: it is too short")
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        mapping = mmap.mmap(descriptor, size, access=access)
    finally:
        os.close(descriptor)
    found: Any = np.frombuffer(mapping, np.int64, WORDS)
    expected = DATA_OFFSET + int(found[W_CAPACITY]) * int(found[W_CHANNELS]) * BYTES_PER_SAMPLE
    wrong = found[W_MAGIC] != MAGIC or found[W_VERSION] != LAYOUT_VERSION or found[W_KIND] != kind
    if wrong or size != expected or not 0 <= found[W_NAME_BYTES] <= NAME_MAX_BYTES:
        raise AudioGraphError(
            f"{path} is no ring that this version reads: restart the engine and its readers together"
        )
    return mapping
