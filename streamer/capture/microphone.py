"""Samples of a sound card, or of a file in its place, by ffmpeg."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import numpy as np

from streamer.engine.fetching import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.decoder import StreamDecoder
from streamer.engine.sources.drift import Frames
from tidzam_platform.audio.sniffing import sniff
from tidzam_platform.errors import AudioError, DecodingError

RATE_HZ: Final = ENGINE_RATE_HZ
BLOCK_S: Final = 0.25
START_S: Final = 10.0  # a sound server may have to start first
SILENT_S: Final = 5.0  # a card gives samples many times a second, also of silence
_FULL_SCALE: Final = 1 << 15
# ALSA's own files and plugins for sound servers look there.
_ENVIRONMENT: Final = ("HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER")


class Microphone:
    """A context that gives PCM16 blocks of a quarter of a second, mono, 48 kHz. For one thread.

    Args:
        device: of ALSA, e.g. ``default`` or ``hw:1,0``.
        file: to play at its own speed in place of the device.
        silent_s: without any sample for so long, it is taken to be gone.

    Raises:
        MissingSystemPartError: ffmpeg is not installed.
        AudioError: the file is no audio.
    """

    def __init__(self, device: str, file: Path | None = None, *, silent_s: float = SILENT_S) -> None:
        self._what = f"the device {device}" if file is None else f"the file {file}"
        self._is_card = file is None
        self._silent_s = silent_s
        with ExitStack() as opened:
            cancellation = opened.enter_context(Cancellation())
            self._decoder = opened.enter_context(
                StreamDecoder(_input(device, file), cancellation, environment=_ENVIRONMENT)
            )
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of ffmpeg."""
        return self._decoder.pid

    def blocks(self) -> Iterator[bytes]:
        """PCM16, little-endian, mono; shorter ones where samples come slowly. A file ends, a device does not.

        Raises:
            DecodingError: the device cannot be opened, ended, or gives nothing any more; the file is damaged. The
                message has what ffmpeg said.
        """
        try:
            self._decoder.read_header(time.monotonic() + START_S)
            while (frames := self._read()) is not None:
                yield _pcm16(frames)
            self._require_good_end()
        except DecodingError as error:
            hint = "; `arecord -l` lists sound cards" if self._is_card else ""
            raise DecodingError(f"{self._what} gives no audio: {error}{hint}") from error

    def close(self) -> None:
        """End ffmpeg. May be called again."""
        self._opened.close()

    def _read(self) -> Frames | None:
        frames = self._decoder.read(time.monotonic() + self._silent_s, block_frames=round(BLOCK_S * RATE_HZ))
        if frames is not None and not len(frames):
            raise DecodingError(f"nothing came for {self._silent_s:g} s: was it unplugged?")
        return frames

    def _require_good_end(self) -> None:
        self._decoder.require_good_end()
        if self._is_card:  # ffmpeg calls it a good end when a card is pulled out
            raise DecodingError(f"it ended: {self._decoder.complaint or 'was it unplugged?'}")


def _input(device: str, file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ("-f", "alsa", "-i", device)
    with file.open("rb") as handle:
        try:
            container = sniff(handle)
        except AudioError as error:
            raise type(error)(f"the file {file} cannot be played: {error}") from error
    return ("-re", "-protocol_whitelist", "file", "-f", container.demuxer, "-i", f"file:{file.absolute()}")


def _pcm16(frames: Frames) -> bytes:
    """All channels mixed to one; what is beyond full scale is clipped, what is no number is silence."""
    samples = np.nan_to_num(frames.mean(axis=1) * _FULL_SCALE)
    pcm16 = np.clip(np.rint(samples), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    return bytes(pcm16)
