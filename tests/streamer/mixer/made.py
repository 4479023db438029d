"""Meters made for tests of the policy."""

from __future__ import annotations

from streamer.engine.mixer.meters import ChannelMeters


def meters(
    *, level: float = -40.0, peak: float = -30.0, clipped: float = 0.0, hum: float = 0.0
) -> ChannelMeters:
    """What one window of 1000 samples might say."""
    return ChannelMeters(
        peak_dbfs=peak,
        rms_dbfs=level,
        clipped_frames=round(clipped * 1000),
        hum_share=hum,
        hum_hz=50 if hum else 0,
        zero_frames=0,
        invalid_frames=0,
        frames=1000,
    )


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s
