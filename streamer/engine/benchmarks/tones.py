"""Tones that tell their channel and their frame: each sample that is heard can be held against what was sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.audio.children import spawn

PERIOD_FRAMES: Final = 4800  # every tone has a whole number of cycles in it: it goes on without a seam
_LOWEST_HZ: Final = 200
_STEP_HZ: Final = 10  # 48,000 Hz / PERIOD_FRAMES
_LEVEL: Final = 0.5
MAX_CHANNELS: Final = 2000  # the highest tone is then at 20.2 kHz

# As ffmpeg does: 32-bit floats on standard output, as fast as they are taken.
_WRITER: Final = """
import sys
with open(sys.argv[1], "rb") as file:
    block = file.read()
while True:
    sys.stdout.buffer.raw.write(block)
"""
_BLOCK_PERIODS: Final = 10


def tones(first: int, channels: int) -> NDArray[np.float32]:
    """A period of the tones of channels ``first`` to ``first + channels - 1`` (from 0).

    Float32 ``[PERIOD_FRAMES, channels]``, peak 0.5; channel n sounds at 200 + 10 n Hz.
    """
    cycles = (_LOWEST_HZ // _STEP_HZ + np.arange(first, first + channels)) / PERIOD_FRAMES
    phase = np.arange(PERIOD_FRAMES)[:, None] * cycles * 2 * np.pi
    return (_LEVEL * np.sin(phase)).astype(np.float32)


class ToneWriter:
    """A child process that writes the tones of some channels into a pipe without end."""

    def __init__(self, folder: Path, first: int, channels: int) -> None:
        path = folder / f"tones-{first}"
        path.write_bytes(np.tile(tones(first, channels), (_BLOCK_PERIODS, 1)).tobytes())
        self._process = spawn(
            [sys.executable, "-I", "-S", "-c", _WRITER, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            environment={},
            folder=str(folder),
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def descriptor(self) -> int:
        """Where its samples are read."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        return self._process.stdout.fileno()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
