"""Front ends by name: those of the systems that came before, and ours."""

from __future__ import annotations

from typing import Final

from tidzam_platform.classifiers.front_end.parameters import FrontEnd
from tidzam_platform.errors import TrainingError

PRESETS: Final[dict[str, FrontEnd]] = {
    "default": FrontEnd(),
    # The original Tidzam: windows of 0.5 s overlapping by a quarter, bins 20 to 169 of a 1024-point FFT at 48 kHz.
    # Its 150 linear bins become 64 mel bands, which see the same range at less than half of the arithmetic.
    "tidzam": FrontEnd(
        window_s=0.5,
        hop_s=0.375,
        stft_window_frames=480,  # 20 ms
        stft_hop_frames=120,  # 5 ms: half a second still gives 92 frames
        low_hz=937.5,
        high_hz=7921.875,
        normalisation="standardise",
    ),
    # Nordby (PyCode 2019), windows overlapping by half. 16 kHz, not 22.05: a hop of 25 ms is then a whole number of
    # samples and 48 kHz, at which JACK and Opus run, is divided by three. It hears up to 8 kHz.
    "nordby": FrontEnd(
        rate_hz=16_000,
        window_s=0.8,
        hop_s=0.4,
        stft_window_frames=1024,  # 64 ms
        stft_hop_frames=400,  # 25 ms
        low_hz=50.0,
        high_hz=8_000.0,
        normalisation="standardise",
    ),
    # VGGish (Hershey 2017). 96 frames of 10 ms that share no frame with the next 96; the window is longer than the
    # 0.96 s of the hop by what the last frame reaches over. VGGish's own triangles are straight in mel and ours, as
    # librosa's, in Hz: their log-mel differ by 0.0013 on average and 0.008 at most (on noise).
    "vggish": FrontEnd(
        rate_hz=16_000,
        window_s=0.982,
        hop_s=0.96,
        fft_frames=512,
        stft_window_frames=400,  # 25 ms
        stft_hop_frames=160,  # 10 ms
        low_hz=125.0,
        high_hz=7_500.0,
        floor=0.01,
        scale="htk",
        spectrum="magnitude",
        normalisation="none",
    ),
}


def preset(name: str) -> FrontEnd:
    """The front end of that name; TrainingError if there is none."""
    try:
        return PRESETS[name]
    except KeyError:
        raise TrainingError(f"no front end {name!r}; there are: {', '.join(sorted(PRESETS))}") from None
