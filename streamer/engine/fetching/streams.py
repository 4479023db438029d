"""What a fetch gives: bytes from outside, and how ffmpeg is told of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Self

from streamer.engine.fetching.containers import MPEG_TS
from tidzam_platform.audio.sniffing import Container

READ_BYTES: Final = 1 << 16
# In a transport stream a programme may appear at any time; ffmpeg would look for others for 5 s.
_TRANSPORT_STREAM_PROBE: Final = ("-analyzeduration", "1000000")


class ByteStream(ABC):
    """Bytes of one container from outside; a context manager that ends it.

    One thread reads and closes it. Another ends a read through the cancellation that the stream was opened with.

    Attributes:
        container: what the first bytes are of; its ``demuxer`` is what ffmpeg must be forced to.
        is_live: whether it comes at the speed of its clock and has no end of its own; a file does not.
        takes_input: whether ffmpeg reads what :meth:`read` gives on standard input. It does not when it reads from a
            loopback address; :meth:`read` then only waits for the end.
    """

    container: Container
    is_live: bool
    takes_input: bool = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def input_arguments(self) -> tuple[str, ...]:
        """What ffmpeg is told of this input, up to ``-i``: nothing in them comes from outside."""
        probe = _TRANSPORT_STREAM_PROBE if self.container is MPEG_TS else ()
        return ("-protocol_whitelist", "pipe", *probe, "-f", self.container.demuxer, "-i", "pipe:0")

    @abstractmethod
    def read(self, max_bytes: int = READ_BYTES, deadline_s: float | None = None) -> bytes:
        """Wait for bytes.

        Args:
            max_bytes: the most that are given.
            deadline_s: until when to wait at most, of ``time.monotonic``; ``sources.no_samples_s`` holds as well.

        Returns:
            At least one byte; none only at the end of the stream.

        Raises:
            FetchError: the connection failed, nothing came in time, or it was cancelled. The stream is over then.
            RefusedAddressError: it goes on at an address where it may not.
        """

    @abstractmethod
    def metadata(self) -> dict[str, str]:
        """What the server says of the stream: ``title``, ``name``, ``genre``, ``description``, ``content_type``..."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """What was counted since it was opened: ``bytes``, and what else is counted of its kind."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections. May be called again."""
