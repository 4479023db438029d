"""How much audio an upload may hold: looked up in its header, and counted while it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.gateway.refusals import HttpRefusalError, too_large
from tidzam_platform.audio.decoding import MAX_RATE_HZ
from tidzam_platform.audio.frame_log import log_frames
from tidzam_platform.audio.ogg.timeline import read_timeline
from tidzam_platform.audio.opening import opened
from tidzam_platform.audio.probing import input_arguments, read_header
from tidzam_platform.audio.riff import read_wav_data
from tidzam_platform.audio.sniffing import OGG, WAV, sniff
from tidzam_platform.errors import DecodingError

_SPARE_S: Final = 0.5  # encoders pad: nobody's hour is exact


@dataclass(frozen=True)
class AudioLimits:
    """The longest audio, in seconds, and the most channels."""

    seconds: float
    channels: int

    def require_seconds(self, seconds: float) -> None:
        """HttpRefusalError (413) if it is longer."""
        if seconds > self.seconds + _SPARE_S:
            raise self._too_long()

    def require_shape(self, rate_hz: int, channels: int) -> None:
        """HttpRefusalError (413) for too many channels; DecodingError for a rate that no recorder has."""
        if channels > self.channels:
            raise too_large(
                f"it has {channels} channels, and {self.channels} are accepted: send fewer channels at once"
            )
        if not 1 <= rate_hz <= MAX_RATE_HZ:  # resampling from such a rate alone takes gigabytes
            raise DecodingError(
                f"a sampling rate of {rate_hz} Hz: {MAX_RATE_HZ} is the highest that is decoded"
            )

    def require_frames(self, arguments: list[str], rate_hz: int, channels: int) -> None:
        """Decode no more than the limit, keeping nothing; HttpRefusalError (413) if there is more.

        Frames are counted, not timestamps, which a file can make up.
        """
        most = int((self.seconds + _SPARE_S) * rate_hz) + 1
        cut = ["-af", f"atrim=end_sample={most}"]
        decoded = log_frames([*arguments, *cut], rate_hz=rate_hz, channels=channels, find_gaps=False)
        if decoded.frames >= most:
            raise self._too_long()

    def _too_long(self) -> HttpRefusalError:
        return too_large(f"it is longer than {self.seconds:g} s, which is the limit: send it in parts")


def require_within(path: Path, limits: AudioLimits) -> None:
    """Refuse a file that is too long or has too many channels, without decoding more than the limit allows.

    A header that says too much is believed at once. One that says too little, or nothing, is not: the audio is
    counted. Ogg says on each page where it is, and PCM in WAV is as long as its bytes, so these are not decoded.

    Raises:
        HttpRefusalError: beyond the limits (413).
        AudioError: it cannot be used, as ``tidzam_platform.audio.probe`` says.
    """
    with opened(path) as handle:
        container = sniff(handle)
        if container is OGG:
            timeline = read_timeline(handle)
            limits.require_shape(timeline.rate_hz, timeline.channels)
            limits.require_seconds(timeline.seconds)
            return
        wav = read_wav_data(handle, path.stat().st_size) if container is WAV else None
    header = read_header(path, container)
    limits.require_shape(header.rate_hz, header.channels)
    if wav is not None and header.codec.startswith("pcm_") and wav.block_bytes:
        limits.require_seconds(wav.held_bytes // wav.block_bytes / header.rate_hz)
        return
    if container.states_length and wav is None and header.stated_s is not None:
        limits.require_seconds(header.stated_s)
    limits.require_frames(input_arguments(path, container), header.rate_hz, header.channels)
