"""Samples of a sound card, or of a file in its place, by ffmpeg."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, cast

from tidzam_platform.audio.children import spawn
from tidzam_platform.audio.ffmpeg import program
from tidzam_platform.audio.sniffing import sniff
from tidzam_platform.errors import DecodingError

RATE_HZ: Final = 48_000
BLOCK_S: Final = 0.25
_BLOCK_BYTES: Final = round(BLOCK_S * RATE_HZ) * 2
_END_S: Final = 5.0
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER")
_MAX_COMPLAINT_BYTES: Final = 4096


class Microphone:
    """A context that gives PCM16 blocks of a quarter of a second, mono, 48 kHz.

    Args:
        device: of ALSA, e.g. ``default`` or ``hw:1,0``.
        file: to play at its own speed in place of the device.

    Raises:
        MissingSystemPartError: ffmpeg is not installed.
        AudioError: the file is no audio.
    """

    def __init__(self, device: str, file: Path | None = None) -> None:
        if file is None:
            source: tuple[str, ...] = ("-f", "alsa", "-i", device)
        else:
            with file.open("rb") as handle:
                container = sniff(handle)
            source = (
                "-re",
                "-protocol_whitelist",
                "file",
                "-f",
                container.demuxer,
                "-i",
                f"file:{file.absolute()}",
            )
        self._what = f"the file {file}" if file else f"the device {device}"
        self._process = spawn(
            [
                *(program("ffmpeg"), "-hide_banner", "-loglevel", "error", "-nostdin", *source),
                *("-vn", "-ac", "1", "-ar", str(RATE_HZ), "-f", "s16le", "pipe:1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environment={key: os.environ[key] for key in _ENVIRONMENT if key in os.environ},
            folder="/",
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for
        self._output = io.BufferedReader(cast("io.RawIOBase", self._process.stdout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def blocks(self) -> Iterator[bytes]:
        """PCM16, little-endian; the last one may be shorter.

        Raises:
            DecodingError: the device cannot be opened, or broke; the message has what ffmpeg said.
        """
        while block := self._output.read(_BLOCK_BYTES):
            yield block
        if self._process.wait(_END_S):
            errors = self._process.stderr
            said = errors.read(_MAX_COMPLAINT_BYTES).decode(errors="replace").strip() if errors else ""
            raise DecodingError(f"{self._what} gives no audio: {said}; `arecord -l` lists sound cards")

    def close(self) -> None:
        """End ffmpeg. May be called again."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._output.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
