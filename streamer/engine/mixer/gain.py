"""What becomes of a channel's samples on their way to a listener: a gain that never clicks, within full scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MIN_GAIN_DB: Final = -60.0
MAX_GAIN_DB: Final = 24.0

# Up to here a sample passes as it is; above, it approaches 1 on a curve without a corner.
KNEE: Final = 0.9
# Sources in floating point may go over 1, and turning them down brings all of it back; beyond this it is garbage.
MAX_INPUT: Final = 16.0

Samples = NDArray[np.float32]


def linear(gain_db: float) -> float:
    """The factor of a gain in dB: 0 dB is 1, -20 dB is 0.1."""
    return float(10.0 ** (gain_db / 20.0))


def cleaned(block: NDArray[Any]) -> Samples:
    """A copy of ``block`` as float32 in which what is no finite number is 0, and nothing is beyond MAX_INPUT."""
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what float32 cannot hold becomes infinite, and 0 below
        samples = np.array(block, dtype=np.float32)
        is_finite = np.isfinite(samples.sum(dtype=np.float64))
    if not is_finite:
        samples[~np.isfinite(samples)] = 0.0
    return np.clip(samples, -MAX_INPUT, MAX_INPUT, out=samples)


def soft_clip(samples: Samples) -> Samples:
    """Limit to [-1, 1], in place: the identity up to KNEE, then a hyperbolic tangent. Never steeper than 1."""
    magnitude = np.abs(samples)
    over = magnitude > KNEE
    if over.any():
        bent = KNEE + (1.0 - KNEE) * np.tanh((magnitude[over] - KNEE) / (1.0 - KNEE))
        samples[over] = np.copysign(np.minimum(bent, 1.0), samples[over])
    return samples


class GainStage:
    """The gain in the way of one listener's signal. Used by one thread at a time.

    A change of the gain takes ``ramp_s`` along a raised cosine, so that the gain has no step and no corner: between
    two samples it moves by at most ``pi / 2 * change / (ramp_s * rate_hz)``. A new target in the middle of a ramp
    begins another one from where the gain is.

    Args:
        target: the factor that the gain shall have now, at least 0; asked once a block. The first block begins at it.
        rate_hz: of the samples.
        ramp_s: how long a change takes.
    """

    def __init__(self, target: Callable[[], float], *, rate_hz: int, ramp_s: float) -> None:
        self._target = target
        frames = max(2, round(ramp_s * rate_hz))
        self._curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, frames + 1) / frames)
        self._begun = self._aim = target()
        self._position = frames  # of the ramp: all of it is done

    @property
    def gain(self) -> float:
        """The factor that the last sample had."""
        if self._position == len(self._curve):
            return self._aim
        done = self._curve[self._position - 1] if self._position else 0.0
        return float(self._begun + (self._aim - self._begun) * done)

    def process(self, block: NDArray[Any]) -> Samples:
        """What a listener gets for ``block`` (real numbers, [frames]): float32 [frames], finite, in [-1, 1]."""
        target = self._target()
        if target != self._aim:
            self._begun, self._aim, self._position = self.gain, target, 0
        samples = cleaned(block)
        ramping = min(len(samples), len(self._curve) - self._position)
        if ramping:
            curve = self._curve[self._position : self._position + ramping]
            samples[:ramping] *= self._begun + (self._aim - self._begun) * curve
            self._position += ramping
        if self._aim != 1.0:
            samples[ramping:] *= self._aim
        return soft_clip(samples)
