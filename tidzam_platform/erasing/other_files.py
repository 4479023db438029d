"""Erasing stretches of WAV (its samples are set to 0 where they lie) and FLAC (encoded again, without a loss)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.archive.erased_tag import ERASED_TAG, Span, comments_of, joined, spans_of
from tidzam_platform.errors import ArchiveError

_COPY_BYTES: Final = 1 << 20
_PCM: Final = (1, 3, 0xFFFE)  # integers, floats, and what says so in an extension
_MAX_CHUNKS: Final = 1000


def erase_wav(source: Path, target: Path, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Write ``source`` with silence in ``spans``; every other byte stays. Returns the silence, in s of the file.

    Raises:
        ArchiveError: it is no PCM.
    """
    shutil.copyfile(source, target)
    with target.open("r+b") as handle:
        rate_hz, block_bytes, is_unsigned, begin, end = _wav_data(handle)
        silent: list[Span] = []
        for start_s, end_s in spans:
            first = max(int(start_s * rate_hz), 0)
            last = min(int(np.ceil(end_s * rate_hz)), (end - begin) // block_bytes)
            if last <= first:
                continue
            handle.seek(begin + first * block_bytes)
            left = (last - first) * block_bytes
            while left:
                part = min(left, _COPY_BYTES)
                handle.write((b"\x80" if is_unsigned else b"\0") * part)
                left -= part
            silent.append((first / rate_hz, last / rate_hz))
    return joined(silent)


def erase_flac(source: Path, target: Path, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Write ``source`` encoded anew, the samples of ``spans`` 0 and all others the same. Returns the silence, in s."""
    from tidzam_platform.audio import decode_blocks, probe, write_audio

    info = probe(source)
    frames = [
        (max(int(start_s * info.rate_hz), 0), int(np.ceil(end_s * info.rate_hz)))
        for start_s, end_s in spans
        if start_s < info.seconds
    ]
    silent = [(first / info.rate_hz, min(last / info.rate_hz, info.seconds)) for first, last in frames]
    erased = joined([*spans_of(info.tags), *silent])
    tags = {key.upper(): value for key, value in info.tags.items() if key != ERASED_TAG.lower()}
    comments = comments_of(erased)
    if len(comments) > 1:
        raise ArchiveError(f"{source} has too many erased stretches for its comments")
    for comment in comments:
        key, _, value = comment.partition("=")
        tags[key] = value

    def silenced() -> Iterator[NDArray[np.float32]]:
        for block in decode_blocks(source):
            samples = block.samples.copy()
            for first, last in frames:
                samples[:, max(first - block.start_frame, 0) : max(last - block.start_frame, 0)] = 0
            yield samples

    write_audio(target, silenced(), info.rate_hz, codec="flac", tags=tags)
    return erased


def _wav_data(handle: BinaryIO) -> tuple[int, int, bool, int, int]:
    """Rate, bytes of a frame, whether samples are unsigned (8 bits), begin and end of the samples in the file."""
    size = handle.seek(0, 2)
    handle.seek(0)
    is_long = handle.read(12)[:4] in (b"RF64", b"BW64")
    position, rate_hz, block_bytes, bits, kind, long_bytes = 12, 0, 0, 0, 0, 0
    for _ in range(_MAX_CHUNKS):
        handle.seek(position)
        header = handle.read(8)
        if len(header) < 8:
            break
        name, length = header[:4], int.from_bytes(header[4:], "little")
        if name == b"fmt ":
            data = handle.read(16)
            kind = int.from_bytes(data[:2], "little")
            rate_hz, block_bytes = int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:14], "little")
            bits = int.from_bytes(data[14:16], "little")
        elif name == b"ds64":
            long_bytes = int.from_bytes(handle.read(16)[8:], "little")
        elif name == b"data":
            if kind not in _PCM or not rate_hz or not block_bytes:
                break
            begin = position + 8
            promised = long_bytes if is_long and length == 0xFFFFFFFF else length
            end = begin + promised if 0 < promised <= size - begin else size
            return rate_hz, block_bytes, bits == 8, begin, end
        position += 8 + length + (length & 1)
    raise ArchiveError("a WAV file without PCM samples cannot be erased in place")
