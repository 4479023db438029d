"""Parameters of the front end, checked where they are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from tidzam_platform.errors import TrainingError

Scale = Literal["slaney", "htk"]
Spectrum = Literal["power", "magnitude"]
Normalisation = Literal["fixed", "standardise", "pcen", "none"]

_CHOICES: Final = {
    "scale": get_args(Scale),
    "spectrum": get_args(Spectrum),
    "normalisation": get_args(Normalisation),
}
_ABOVE_ZERO: Final = (
    "rate_hz",
    "window_s",
    "hop_s",
    "fft_frames",
    "stft_window_frames",
    "stft_hop_frames",
    "bands",
    "floor",
    "fixed_deviation",
    "pcen_time_constant_s",
    "pcen_eps",
)
_NOT_NEGATIVE: Final = ("pcen_gain", "pcen_bias", "pcen_power")


@dataclass(frozen=True)
class FrontEnd:
    """Parameters of the front end; stored with each expert, since weights are worth nothing with others.

    The defaults hear 60 Hz to 11 kHz: most birds sing below it, and 24 kHz is half of what JACK and Opus run at.

    Attributes:
        hop_s: from one window to the next; a whole number of STFT hops, so that training and analysis see the
            same frames.
        scale: ``slaney`` is Slaney's mel scale with bands of equal area (librosa's default), ``htk`` is HTK's scale
            with bands of height 1.
        spectrum: what the bands add up, squares of the STFT's amplitudes or the amplitudes themselves.
        floor: added to a band before the logarithm.
        normalisation: what ``normalise`` does to a window's log-mel: ``fixed`` shifts and scales by constants, so
            that level and background stay to be heard; the others are described there.
        pcen_gain: and the other four: parameters of PCEN under librosa's names. The defaults are those of Wang 2017
            for far-field speech; Lostanlen 2019 advises 0.8, 10, 0.25 and 0.06 s for animals outdoors.
        pcen_eps: in the unit of a band; the default lies at the default ``floor``.

    Raises:
        TrainingError: the parameters make no sense together; the message says which to change.
    """

    rate_hz: int = 24_000
    window_s: float = 1.0
    hop_s: float = 0.5
    fft_frames: int = 1024
    stft_window_frames: int = 600  # 25 ms, periodic Hann
    stft_hop_frames: int = 240  # 10 ms
    bands: int = 64
    low_hz: float = 60.0
    high_hz: float = 11_000.0
    floor: float = 1e-6
    scale: Scale = "slaney"
    spectrum: Spectrum = "power"
    normalisation: Normalisation = "fixed"
    fixed_mean: float = -8.0  # of log-mel over the clips of a field set, roughly
    fixed_deviation: float = 4.0
    pcen_gain: float = 0.98
    pcen_bias: float = 2.0
    pcen_power: float = 0.5
    pcen_time_constant_s: float = 0.4
    pcen_eps: float = 1e-6

    def __post_init__(self) -> None:
        for holds, wrong in self._rules():
            if not holds:
                raise TrainingError(f"front end: {wrong}")

    @property
    def window_frames(self) -> int:
        """Samples in a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def hop_frames(self) -> int:
        """Samples from one window to the next."""
        return round(self.hop_s * self.rate_hz)

    @property
    def patch_frames(self) -> int:
        """STFT frames in a window."""
        return self.stft_frames(self.window_frames)

    def stft_frames(self, samples: int) -> int:
        """STFT frames in a signal of ``samples``."""
        return max(0, 1 + (samples - self.fft_frames) // self.stft_hop_frames)

    def to_dict(self) -> dict[str, Any]:
        """Parameters as JSON holds them."""
        return asdict(self)

    def _rules(self) -> Iterator[tuple[bool, str]]:
        """Each rule with what to say when it is broken; a later one relies on those before it."""
        for name in _ABOVE_ZERO:
            yield getattr(self, name) > 0, f"{name} is {getattr(self, name)}, it must lie above 0"
        for name in _NOT_NEGATIVE:
            yield getattr(self, name) >= 0, f"{name} is {getattr(self, name)}, it must be at least 0"
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            yield value in allowed, f"{name} is {value!r}, it must be one of: {', '.join(allowed)}"
        hop, window, fft = self.stft_hop_frames, self.stft_window_frames, self.fft_frames
        yield (
            hop <= window <= fft,
            (
                f"stft_hop_frames {hop} <= stft_window_frames {window} <= fft_frames {fft} must hold: a longer hop "
                "skips samples, a longer window does not fit the FFT"
            ),
        )
        yield (
            0 < self.low_hz < self.high_hz <= self.rate_hz / 2,
            (
                f"0 < low_hz {self.low_hz} < high_hz {self.high_hz} <= {self.rate_hz / 2} (half of rate_hz) must hold; "
                "raise rate_hz or lower high_hz"
            ),
        )
        yield (
            self.window_frames >= fft,
            (
                f"a window of {self.window_s} s has {self.window_frames} samples, fewer than fft_frames {fft}; "
                "lengthen window_s"
            ),
        )
        yield (
            0 < self.hop_frames <= self.window_frames,
            (
                f"hop_s {self.hop_s} must be at least a sample and at most window_s {self.window_s}: "
                "audio between windows goes unheard"
            ),
        )
        yield (
            self.hop_frames % hop == 0,
            (
                f"hop_s {self.hop_s} is {self.hop_frames} samples, it must be a multiple of stft_hop_frames {hop}, "
                "so that training and analysis see the same frames"
            ),
        )
