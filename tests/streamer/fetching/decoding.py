"""ffmpeg on a stream, with nothing but what the stream says of itself."""

from __future__ import annotations

import contextlib
import subprocess
import threading

import numpy as np
from numpy.typing import NDArray

from streamer.engine.fetching import ByteStream
from tests.support.parts import require_part


def decode(stream: ByteStream, max_bytes: int | None = None, *, rate_hz: int = 48000) -> NDArray[np.float32]:
    """What ffmpeg makes of ``stream`` until its end, or until it was given ``max_bytes``; one channel, float32."""
    output = ("-map", "0:a:0", "-ac", "1", "-ar", str(rate_hz), "-f", "f32le", "pipe:1")
    command = [str(require_part("ffmpeg")), "-v", "error", *stream.input_arguments(), *output]
    stdin = subprocess.PIPE if stream.takes_input else subprocess.DEVNULL
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE) as process:
        feeder = threading.Thread(target=_feed, args=(stream, process, max_bytes), daemon=True)
        if stream.takes_input:
            feeder.start()
        assert process.stdout is not None
        decoded = process.stdout.read()
        if stream.takes_input:
            feeder.join(20)
            assert not feeder.is_alive()
    assert process.returncode == 0
    return np.frombuffer(decoded, np.float32)


def run_ffmpeg(stream: ByteStream, *, deadline_s: float = 20.0) -> subprocess.CompletedProcess[bytes]:
    """Let ffmpeg read a stream that it connects to by itself, to its end."""
    assert not stream.takes_input
    command = [
        str(require_part("ffmpeg")),
        "-nostdin",
        "-v",
        "error",
        *stream.input_arguments(),
        "-f",
        "f32le",
        "pipe:1",
    ]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline_s, check=False
    )


def loudest_hz(samples: NDArray[np.float32], rate_hz: int = 48000) -> float:
    """The frequency that is strongest."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def _feed(stream: ByteStream, process: subprocess.Popen[bytes], max_bytes: int | None) -> None:
    assert process.stdin is not None
    given = 0
    with contextlib.suppress(BrokenPipeError), process.stdin:
        while (max_bytes is None or given < max_bytes) and (data := stream.read()):
            process.stdin.write(data)
            given += len(data)
