"""A site whose channels each sound their own tone, and people who listen to it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import psutil

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening import ListenedChannel, Listening
from streamer.engine.mixer import Mixer
from streamer.engine.rings import ChannelRings, RingFolder
from streamer.engine.rings.layout import W_CLAIMED, W_WRITTEN
from tidzam_platform.streamer_sections import IcecastSettings, MixerSettings

RATE_HZ = 48_000
_PIECE_S = 0.02


def tone_hz(number: int) -> float:
    """Of channel ``number``, from 1."""
    return 300.0 + 70.0 * number


class ToneSite:
    """Writes a tone into each slot of the channel rings, in real time, as the graph would."""

    def __init__(self, rings: ChannelRings, channels: int) -> None:
        self.rings = rings
        for slot in range(channels):
            rings.reserve_slot(slot)
        self._hertz = np.array([tone_hz(number) for number in range(1, channels + 1)])
        self.is_sounding = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        del self.rings  # their memory can be unmapped

    def _run(self) -> None:
        began_s = time.monotonic()
        written = 0
        while not self._stop.wait(_PIECE_S):
            due = round((time.monotonic() - began_s) * RATE_HZ)
            if not self.is_sounding:
                began_s += (due - written) / RATE_HZ
                continue
            self._write(written, due - written)
            written = due

    def _write(self, first: int, frames: int) -> None:
        rings = self.rings
        rings.words[W_CLAIMED] = first + frames
        number = np.arange(first, first + frames)
        tones = 0.3 * np.sin(2 * np.pi * self._hertz[:, None] * number / RATE_HZ)
        rings.data[: len(tones), number % rings.capacity_frames] = tones
        rings.words[W_WRITTEN] = first + frames


@contextmanager
def listening_site(
    home: Path, channels: int, *, mixer: Mixer | None = None, known: bool = True, **settings: object
) -> Iterator[tuple[Listening, ToneSite, Mixer]]:
    """A site that people can listen to, ``marsh:out_1`` and so on; Icecast on a free port."""
    section = IcecastSettings(**{"port": 0, **settings})  # type: ignore[arg-type]
    mixer = mixer or Mixer(MixerSettings(), home)
    names = [f"marsh:out_{number}" for number in range(1, channels + 1)]
    slots = {name: slot for slot, name in enumerate(names)}
    with (
        RingFolder(home) as folder,
        ChannelRings.create(folder, channels, 10) as rings,
        ToneSite(rings, channels) as site,
    ):
        listening = Listening(section, home, rings, slots.get, mixer)
        listening.set_channels([ListenedChannel(name) for name in names])
        try:
            listening.start()
            if known:
                assert listening.wait_until_known(20)
            yield listening, site, mixer
        finally:
            listening.stop()


def ogg_tone(codec: str, hertz: float, seconds: float) -> bytes:
    """A tone as one Ogg stream, which has the same number each time, as with a server that goes on where it was."""
    command = [
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi"),
        *("-i", f"sine=frequency={hertz}:sample_rate={RATE_HZ}:duration={seconds}", "-c:a", codec),
        *("-page_duration", "100000", "-fflags", "+bitexact", "-serial_offset", "7", "-f", "ogg", "pipe:1"),
    ]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


class Listener:
    """Somebody who listens to a mount, as a browser does: what is heard is kept. A context.

    Args:
        listening: or the port of Icecast.
        path: of the mount.
    """

    def __init__(self, listening: Listening | int, path: str) -> None:
        port = listening if isinstance(listening, int) else listening.icecast.port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        self.path = path
        self.began_s = time.monotonic()
        self.first_byte_s: float | None = None
        self.data = b""
        self.arrivals: list[tuple[float, int]] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection.connect()
        self._socket = self._connection.sock
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _listen(self) -> None:
        try:
            self._connection.request("GET", self.path)
            answer = self._connection.getresponse()
            self.status, self.headers = answer.status, dict(answer.getheaders())
            if answer.status == 200:
                while data := answer.read1(1 << 16):
                    if self.first_byte_s is None:
                        self.first_byte_s = time.monotonic() - self.began_s
                    self.data += data
                    self.arrivals.append((time.monotonic(), len(self.data)))
        except (OSError, http.client.HTTPException):
            self.status = self.status or -1
        finally:
            self._connection.close()

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    @property
    def heard_s(self) -> float:
        """Seconds that have come, by the positions of the pages: an encoder may have run before somebody came."""
        positions = [page.granule for page in PageSplitter().feed(self.data) if page.granule > 0]
        return (max(positions) - min(positions)) / RATE_HZ if positions else 0.0

    def audio(self, data: bytes | None = None) -> np.ndarray:
        """What was heard so far, float32 [frames]."""
        arguments = [
            "ffmpeg",
            "-hide_banner",
            "-loglevel",
            "quiet",
            "-f",
            "ogg",
            "-i",
            "pipe:0",
            "-f",
            "f32le",
            "-ac",
            "1",
        ]
        decoded = subprocess.run(
            [*arguments, "-ar", str(RATE_HZ), "pipe:1"],
            input=data or self.data,
            capture_output=True,
            check=False,
        )
        return np.frombuffer(decoded.stdout, np.float32)


def loudest_hz(audio: np.ndarray) -> float:
    """Frequency of the strongest line."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(spectrum.argmax() * RATE_HZ / len(audio))


def encoders() -> list[psutil.Process]:
    """The encoders that run now, of this process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if child.name() == "ffmpeg":
                found.append(child)
    return found
