"""Audio made for tests: noise whose every stretch is unlike any other, encoded by ffmpeg itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from numpy.typing import NDArray

from tests.support.parts import require_part

Samples = NDArray[np.float32]

# For properties whose every example starts processes: no time limit on one, and no search for a smaller one.
FEW_EXAMPLES = settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# What ffmpeg is told for each kind of file.
ENCODERS = {
    "opus": ("-c:a", "libopus", "-b:a", "64k", "-f", "ogg"),
    "vorbis": ("-c:a", "libvorbis", "-q:a", "4", "-f", "ogg"),
    "oggflac": ("-c:a", "flac", "-frame_size", "1024", "-f", "ogg"),
    "flac": ("-c:a", "flac", "-frame_size", "1024", "-f", "flac"),
    "wav": ("-c:a", "pcm_s16le", "-f", "wav"),
    "mp3": ("-c:a", "libmp3lame", "-f", "mp3"),
    "adts": ("-c:a", "aac", "-f", "adts"),
    "mp4": ("-c:a", "aac", "-f", "mp4"),
    "webm": ("-c:a", "libopus", "-f", "webm"),
    "aiff": ("-c:a", "pcm_s16be", "-f", "aiff"),
    "caf": ("-c:a", "pcm_s16le", "-f", "caf"),
    "au": ("-c:a", "pcm_s16be", "-f", "au"),
}
PAGE_S = 0.2


def noise(seconds: float, *, channels: int = 1, rate_hz: int = 48000, seed: int = 0) -> Samples:
    """Noise below 4 kHz, which every codec keeps, as ``[channels, frames]``."""
    frames = round(seconds * rate_hz)
    generator = np.random.default_rng(seed)
    spectrum = np.fft.rfft(generator.standard_normal((channels, frames)))
    spectrum[:, np.fft.rfftfreq(frames, 1 / rate_hz) > 4000] = 0
    shaped = np.fft.irfft(spectrum, frames)
    return (0.25 * shaped / np.abs(shaped).max()).astype(np.float32)


def tones(hz: list[float], seconds: float, *, rate_hz: int = 48000, level: float = 0.3) -> Samples:
    """A steady tone in each channel."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.stack([level * np.sin(2 * np.pi * frequency * time_s) for frequency in hz]).astype(np.float32)


def encode(
    samples: Samples, path: Path, kind: str, *, rate_hz: int = 48000, options: tuple[str, ...] = ()
) -> Path:
    """Encode with ffmpeg's command line; Ogg gets pages of PAGE_S."""
    ffmpeg = require_part("ffmpeg")
    channels = len(samples)
    mapping = ("-mapping_family", "255") if kind == "opus" and channels > 2 else ()
    pages = ("-page_duration", str(round(PAGE_S * 1e6))) if "ogg" in ENCODERS[kind] else ()
    command = [
        ffmpeg,
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        str(rate_hz),
        "-ac",
        str(channels),
        "-i",
        "pipe:0",
    ]
    command += [*ENCODERS[kind][:-2], *mapping, *pages, *options, *ENCODERS[kind][-2:], path]
    subprocess.run(command, input=samples.T.astype("<f4").tobytes(), check=True)
    return path


def plain_decode(path: Path, *, channels: int = 1, rate_hz: int | None = None) -> Samples:
    """What ffmpeg alone makes of an undamaged file."""
    rate = () if rate_hz is None else ("-ar", str(rate_hz))
    command = [require_part("ffmpeg"), "-v", "error", "-i", path, *rate, "-f", "f32le", "pipe:1"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(output, np.float32).reshape(-1, channels).T


@dataclass(frozen=True)
class Match:
    """How well two signals agree, and by how many frames the first is late."""

    lag: int
    correlation: float


def match(found: NDArray[np.floating], expected: NDArray[np.floating]) -> Match:
    """Cross-correlate two signals of equal length."""
    length = len(found)
    product = np.fft.rfft(found, 2 * length) * np.conj(np.fft.rfft(expected, 2 * length))
    correlation = np.fft.irfft(product, 2 * length)
    peak = int(np.argmax(correlation))
    scale = float(np.linalg.norm(found) * np.linalg.norm(expected)) or 1.0
    return Match(peak if peak < length else peak - 2 * length, float(correlation[peak]) / scale)
