"""The bytes of a spool segment.

::

    segment   "TZWINDW1"  record*
    record    head (40 bytes)  body
    head      marker 4s | run u32 | number u32 | length u32 | start_frame i64 | ended f64 | body CRC u32 | head CRC u32
    marker    "RUN\\0": the body is JSON that says what ``run`` stands for in this segment
              "WIN\\0": the body is ``length`` samples, float32: the last ones of the window at ``start_frame``
    done      first_frame i64 | last_frame i64 | run u32 | number u32 | CRC u32          (of the file beside a segment)

All numbers are little-endian; CRCs are CRC-32 (zlib). A window with fewer samples than the run's windows have begins
with samples of the window of the same run and channel that stands before it in the segment. Heads have a CRC of their
own, so that a segment is looked through without reading its samples.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.windows import Geometry, Run
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.names import MAX_CHANNELS, valid_source

MAGIC: Final = b"TZWINDW1"
RUN: Final = b"RUN\0"
WINDOW: Final = b"WIN\0"
SAMPLE_BYTES: Final = 4
_MAX_WINDOW_FRAMES: Final = 1 << 24
_MAX_RUN_BYTES: Final = 4096
_CRC: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<4sIIIqdI")
_DONE: Final = struct.Struct("<qqII")
HEAD_BYTES: Final = _HEAD.size + _CRC.size
MOST_RUN_BYTES: Final = HEAD_BYTES + 256  # names have 64 letters at most, numbers of 64 bits 20 digits
DONE_BYTES: Final = _DONE.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a record.

    Attributes:
        marker: ``RUN`` or ``WINDOW``.
        run: index of the run within the segment, from 0.
        number: of the channel, from 1; 0 for a run.
        length: samples of a window, bytes of a run.
        start_frame: first frame of the window; 0 for a run.
        ended_s: when the window's last sample was there, seconds since 1970.
        body_crc: CRC-32 of the body.
    """

    marker: bytes
    run: int
    number: int
    length: int
    start_frame: int
    ended_s: float
    body_crc: int

    @property
    def body_bytes(self) -> int:
        """Length of the body."""
        return self.length * (SAMPLE_BYTES if self.marker == WINDOW else 1)


def write_head(head: Head) -> bytes:
    """The 40 bytes of a head."""
    packed = _HEAD.pack(
        head.marker, head.run, head.number, head.length, head.start_frame, head.ended_s, head.body_crc
    )
    return packed + _CRC.pack(zlib.crc32(packed))


def read_head(data: bytes) -> Head | None:
    """What ``write_head`` wrote; None if it is cut off, damaged, or says what cannot be."""
    if len(data) < HEAD_BYTES or _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        return None
    head = Head(*_HEAD.unpack_from(data))
    if head.marker == RUN:
        return head if head.length <= _MAX_RUN_BYTES else None
    sound = 1 <= head.number <= MAX_CHANNELS and head.start_frame >= 0
    return head if head.marker == WINDOW and sound and 0 < head.length <= _MAX_WINDOW_FRAMES else None


def window_record(
    run: int, number: int, start_frame: int, ended_s: float, samples: NDArray[np.float32]
) -> tuple[bytes, memoryview]:
    """Head and body of a window; ``samples`` is contiguous float32 ``[n]``, and not copied."""
    body = samples.data.cast("B")
    head = Head(WINDOW, run, number, len(samples), start_frame, ended_s, zlib.crc32(body))
    return write_head(head), body


def run_record(index: int, run: Run) -> tuple[bytes, bytes]:
    """Head and body of a run."""
    geometry = run.geometry
    body = json.dumps(
        {
            "source": run.source,
            "anchor_utc_ns": run.anchor_utc_ns,
            "rate_hz": geometry.rate_hz,
            "window_frames": geometry.window_frames,
            "hop_frames": geometry.hop_frames,
        }
    ).encode()
    return write_head(Head(RUN, index, 0, len(body), 0, 0.0, zlib.crc32(body))), body


def read_run(head: Head, body: bytes) -> Run | None:
    """What ``run_record`` wrote; None if it is cut off, damaged, or says what cannot be."""
    if len(body) != head.length or zlib.crc32(body) != head.body_crc:
        return None
    try:
        values = json.loads(body)
        lengths = [values[name] for name in ("rate_hz", "window_frames", "hop_frames")]
        if not all(type(length) is int and 0 < length <= _MAX_WINDOW_FRAMES for length in lengths):
            return None
        if type(values["anchor_utc_ns"]) is not int:
            return None
        return Run(valid_source(values["source"]), values["anchor_utc_ns"], Geometry(*lengths))
    except (ValueError, TypeError, KeyError, RecursionError, InvalidNameError):
        return None


def write_done(run: int, number: int, first_frame: int, last_frame: int) -> bytes:
    """A record of the file beside a segment: what these windows led to is stored."""
    packed = _DONE.pack(first_frame, last_frame, run, number)
    return packed + _CRC.pack(zlib.crc32(packed))


def read_done(data: bytes) -> list[tuple[int, int, int, int]]:
    """What ``write_done`` wrote, up to the first record that is cut off or damaged: run, number, first, last."""
    records = []
    for begin in range(0, len(data) - DONE_BYTES + 1, DONE_BYTES):
        packed = data[begin : begin + _DONE.size]
        if _CRC.unpack_from(data, begin + _DONE.size)[0] != zlib.crc32(packed):
            break
        first, last, run, number = _DONE.unpack(packed)
        records.append((run, number, first, last))
    return records
