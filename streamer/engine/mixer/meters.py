"""How loud every channel is, whether it clips, hums or is dead: all channels in one pass of numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.audio.levels import FLOOR_DBFS

WINDOW_S: Final = (
    0.4  # of the "momentary" loudness of EBU Tech 3341; mains lines are 10 Hz apart, and it tells them
)
CLIPPING: Final = 0.999  # of full scale: converters stop a little below it, and encoders round

MAINS_HZ: Final = (50.0, 60.0)
ABSURD: Final = 1e4  # 80 dB above full scale: no converter and no decoder gives that

_HARMONICS: Final = 5
_HUM_RATE_HZ: Final = 1200.0  # enough for all harmonics, and their sums are then short
_MIN_HUM_S: Final = 0.2  # with less, a line cannot be told from its neighbour
_SILENT_POWER: Final = 1e-9  # -90 dBFS: below it no share means anything


@dataclass(frozen=True, slots=True)
class ChannelMeters:
    """One channel over one window.

    Attributes:
        peak_dbfs: largest sample, dB relative to 1, not below -120.
        rms_dbfs: root mean square of all samples, likewise; a full-scale sine is at -3.
        clipped_frames: samples at or above full scale.
        hum_share: power at 50 or 60 Hz and four harmonics, as a share of all power but DC, 0 to 1.
        hum_hz: the mains frequency that fits best, 0 where there is nothing at any line.
        zero_frames: samples that are exactly 0.
        invalid_frames: samples that are no number, or an absurd one; counted as 0 in the rest.
        frames: samples in all.
    """

    peak_dbfs: float
    rms_dbfs: float
    clipped_frames: int
    hum_share: float
    hum_hz: int
    zero_frames: int
    invalid_frames: int
    frames: int

    @property
    def clipped_share(self) -> float:
        """Clipped samples of all, 0 to 1."""
        return self.clipped_frames / self.frames if self.frames else 0.0

    @property
    def is_dead(self) -> bool:
        """Whether there is nothing but exact zeros: no microphone gives that."""
        return self.frames > 0 and self.zero_frames == self.frames


@dataclass(frozen=True, slots=True)
class Readings:
    """All channels over one window; each array is [channels]. See ChannelMeters."""

    peak_dbfs: NDArray[np.float64]
    rms_dbfs: NDArray[np.float64]
    clipped_frames: NDArray[np.int64]
    hum_share: NDArray[np.float64]
    hum_hz: NDArray[np.int64]
    zero_frames: NDArray[np.int64]
    invalid_frames: NDArray[np.int64]
    frames: int

    def __len__(self) -> int:
        return len(self.peak_dbfs)

    def channel(self, index: int) -> ChannelMeters:
        """Of one channel."""
        return ChannelMeters(
            peak_dbfs=float(self.peak_dbfs[index]),
            rms_dbfs=float(self.rms_dbfs[index]),
            clipped_frames=int(self.clipped_frames[index]),
            hum_share=float(self.hum_share[index]),
            hum_hz=int(self.hum_hz[index]),
            zero_frames=int(self.zero_frames[index]),
            invalid_frames=int(self.invalid_frames[index]),
            frames=self.frames,
        )


def measure(block: NDArray[np.float32], rate_hz: int) -> Readings:
    """Measure ``block``, float32 [channels, frames]; best over WINDOW_S. It is not changed.

    Hum needs 0.2 s at least, and is 0 on less.
    """
    block, invalid = _only_audio(block)
    frames = block.shape[1]
    peak = np.maximum(block.max(axis=1, initial=0.0), -block.min(axis=1, initial=0.0)).astype(np.float64)
    power = np.vecdot(block, block).astype(np.float64) / max(frames, 1)
    clipped = np.zeros(len(block), np.int64)
    if (loud := peak >= CLIPPING).any():
        clipped[loud] = np.count_nonzero(np.abs(block[loud]) >= CLIPPING, axis=1)
    share, mains_hz = _hum(block, rate_hz, power)
    return Readings(
        peak_dbfs=_decibels(peak**2),
        rms_dbfs=_decibels(power),
        clipped_frames=clipped,
        hum_share=share,
        hum_hz=mains_hz,
        zero_frames=frames - np.count_nonzero(block, axis=1),
        invalid_frames=invalid,
        frames=frames,
    )


def _only_audio(block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The block with what is no audio set to 0, and how many samples that were in each channel."""
    invalid = np.zeros(len(block), np.int64)
    with np.errstate(invalid="ignore"):  # comparisons with NaN
        extremes = np.stack([block.max(axis=1, initial=0.0), -block.min(axis=1, initial=0.0)])
        bad = ~(extremes <= ABSURD).all(axis=0)
        if bad.any():
            audio = np.abs(block[bad]) <= ABSURD
            invalid[bad] = block.shape[1] - np.count_nonzero(audio, axis=1)
            block = block.copy()
            block[bad] = np.where(audio, block[bad], np.float32(0))
    return block, invalid


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DBFS / 10.0))))


def _hum(
    block: NDArray[np.float32], rate_hz: int, power: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The share of the power that is hum, and the mains frequency, of each channel."""
    channels, frames = block.shape
    step = max(1, int(rate_hz / _HUM_RATE_HZ))
    length = frames // step
    if frames < _MIN_HUM_S * rate_hz or length < 2:
        return np.zeros(channels), np.zeros(channels, np.int64)
    slow = block[:, : length * step].reshape(channels, length, step).mean(axis=2).astype(np.float64)
    mean = slow.mean(axis=1)
    lines = (slow - mean[:, None]) @ _basis(length, step, rate_hz)
    by_mains = (np.abs(lines) ** 2).reshape(channels, len(MAINS_HZ), _HARMONICS).sum(axis=2)
    moving = power - mean**2  # the power but for DC
    loud = moving > _SILENT_POWER
    shares = np.where(loud[:, None], by_mains / np.where(loud, moving, 1.0)[:, None], 0.0)
    share = np.minimum(shares.max(axis=1), 1.0)
    mains_hz = np.array(MAINS_HZ, np.int64)[shares.argmax(axis=1)]
    return share, np.where(share > 0.0, mains_hz, 0)


@lru_cache(maxsize=8)
def _basis(length: int, step: int, rate_hz: int) -> NDArray[np.complex128]:
    """[length, lines]: times samples at the lower rate, the root mean square of each line, as a complex number.

    A Hann window keeps lines 10 Hz apart from each other. The mean of ``step`` samples makes a line quieter by a
    known factor, which is undone.
    """
    lines_hz = np.array([mains_hz * (1 + number) for mains_hz in MAINS_HZ for number in range(_HARMONICS)])
    seconds = np.arange(length) * step / rate_hz
    window = np.hanning(length + 2)[1:-1]
    angles = np.pi * lines_hz / rate_hz
    loss = np.abs(np.sin(step * angles) / (step * np.sin(angles)))
    waves = np.exp(-2j * np.pi * lines_hz[None, :] * seconds[:, None])
    return np.asarray(np.sqrt(2.0) * window[:, None] * waves / (window.sum() * loss[None, :]))
