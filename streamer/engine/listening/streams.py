"""What goes to one relay: an encoded channel, or a copy of what a source gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from streamer.engine.encoding import Codec, EncoderProcess, PageSplitter, encoder_arguments
from streamer.engine.listening.copy_stream import CopyReader
from streamer.engine.listening.listener_audio import ListenerAudio
from streamer.engine.listening.mounts import Mount
from streamer.engine.mixer import GainStage
from tidzam_platform.errors import TidzamError

PAGE_S: Final = 0.1  # how much of a stream is sent at a time
MAX_UNSENT_S: Final = 2.0  # of samples that an encoder has not taken; beyond, they are dropped
MAX_DEATHS: Final = 5  # of an encoder, one soon after the other, until its stream is given up
_LIVED_S: Final = 10.0  # after that a death is a first one again
_CODECS: Final[dict[str, Codec]] = {"opus": "opus", "vorbis": "vorbis"}


class Stream(Protocol):
    """Bytes for a relay; for one thread."""

    def tick(self, now_s: float) -> bytes:
        """Move on without waiting; returns what is to be sent."""

    @property
    def has_failed(self) -> bool:
        """Whether nothing more will come."""

    def close(self) -> None:
        """Free everything. May be called again."""


class EncodedStream:
    """A channel, through the mixer, encoded for one relay.

    An encoder that dies is replaced: the stream goes on as another link of the same Ogg, and listeners stay.

    Args:
        mount: what is asked for.
        audio: the channel.
        gain: of the mixer, for this stream alone.
        rate_hz: of the samples.
        bitrate_kbps: of the stream.
        now_s: of ``time.monotonic``.

    Raises:
        MissingSystemPartError: ffmpeg is not installed.
    """

    def __init__(
        self,
        mount: Mount,
        audio: ListenerAudio,
        gain: GainStage,
        *,
        rate_hz: int,
        bitrate_kbps: int,
        now_s: float,
    ) -> None:
        self._audio, self._gain = audio, gain
        self._max_unsent_bytes = round(MAX_UNSENT_S * rate_hz) * 4
        self._start: Callable[[], EncoderProcess] = lambda: EncoderProcess(
            encoder_arguments(
                _CODECS[mount.format],
                rate_hz=rate_hz,
                channels=1,
                bitrate_kbps=bitrate_kbps,
                page_s=PAGE_S,
                tags=mount.tags(),
            )
        )
        self._encoder = self._start()
        self._begun_s = now_s
        self._splitter = PageSplitter()
        self._deaths_in_a_row = 0
        self.deaths = 0
        self.dropped_frames = 0
        self.complaint = ""

    @property
    def has_failed(self) -> bool:
        """Whether the encoder died again and again."""
        return self._deaths_in_a_row >= MAX_DEATHS

    @property
    def lost_frames(self) -> int:
        """Frames of the channel that came too fast for us."""
        return self._audio.lost_frames

    @property
    def pid(self) -> int:
        """Of the encoder."""
        return self._encoder.pid

    def tick(self, now_s: float) -> bytes:
        """Give the encoder what has come; returns whole pages."""
        samples = self._gain.process(self._audio.take(now_s))
        if self._encoder.unsent_bytes > self._max_unsent_bytes:
            self.dropped_frames += len(samples)
            self._encoder.send()
        else:
            self._encoder.write(samples.astype("<f4", copy=False).tobytes())
        pages = self._splitter.feed(self._encoder.receive())
        if self._encoder.has_ended and not self.has_failed:
            self._replace(now_s)
        return b"".join(page.data for page in pages)

    def close(self) -> None:
        """End the encoder."""
        self._encoder.close()

    def _replace(self, now_s: float) -> None:
        self.deaths += 1
        self._deaths_in_a_row = 1 if now_s - self._begun_s > _LIVED_S else self._deaths_in_a_row + 1
        self.complaint = self._encoder.complaint
        self._encoder.close()
        if self.has_failed:
            return
        try:
            self._encoder, self._begun_s, self._splitter = self._start(), now_s, PageSplitter()
        except (TidzamError, OSError) as error:
            self._deaths_in_a_row, self.complaint = MAX_DEATHS, str(error)


class CopiedStream:
    """What a source gives, as it is."""

    def __init__(self, reader: CopyReader) -> None:
        self._reader = reader

    @property
    def has_failed(self) -> bool:
        """Whether the source is gone."""
        return self._reader.is_closed

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - of the protocol
        """What has come."""
        return self._reader.take()

    def close(self) -> None:
        """No longer listen."""
        self._reader.close()
