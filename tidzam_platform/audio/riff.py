"""How much audio a WAV file holds and how much it promises (RIFF; RF64 and BW64: EBU Tech 3306)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

from tidzam_platform.errors import EmptyAudioError

# What programs write when they cannot know the length yet, and never came back: 0, all ones, sox's largest.
_STREAMED_FROM: Final = 0x7FFFF000
_UNKNOWN_32: Final = 0xFFFFFFFF
_MAX_CHUNKS: Final = 1000


@dataclass(frozen=True)
class WavData:
    """The data chunk.

    Attributes:
        held_bytes: audio that is in the file.
        promised_bytes: audio that the header promises; None where it was streamed and promises nothing.
        block_bytes: of one frame (PCM) or one block of frames.
    """

    held_bytes: int
    promised_bytes: int | None
    block_bytes: int

    @property
    def truncated(self) -> bool:
        """Less is there than was promised."""
        return self.promised_bytes is not None and self.held_bytes < self.promised_bytes


def read_wav_data(handle: BinaryIO, file_bytes: int) -> WavData:
    """Find the data chunk of a WAV file.

    Raises:
        EmptyAudioError: there is none, or nothing in it.
    """
    handle.seek(0)
    is_64_bit = handle.read(12)[:4] in (b"RF64", b"BW64")
    position = 12
    long_size = None
    block_bytes = 0
    for _ in range(_MAX_CHUNKS):
        handle.seek(position)
        header = handle.read(8)
        if len(header) < 8:
            break
        name, size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"ds64":
            long_size = int.from_bytes(handle.read(16)[8:], "little")
        elif name == b"fmt ":
            block_bytes = int.from_bytes(handle.read(14)[12:], "little")
        elif name == b"data":
            begin = position + 8
            promised: int | None = size
            if is_64_bit and size == _UNKNOWN_32:
                promised = long_size
            there = file_bytes - begin
            if not promised or (promised > there and _STREAMED_FROM <= promised <= _UNKNOWN_32):
                promised = None
            held = there if promised is None else min(promised, there)
            if held < max(block_bytes, 1):
                break
            return WavData(held, promised, block_bytes)
        position += 8 + size + (size & 1)
    raise EmptyAudioError("a WAV header without audio")
