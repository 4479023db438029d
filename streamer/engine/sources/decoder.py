"""One ffmpeg a source: bytes of a container in, 48 kHz float32 frames out."""

from __future__ import annotations

import array
import contextlib
import fcntl
import logging
import os
import re
import select
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.streams import ByteStream
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.drift import Frames
from streamer.engine.sources.wav_header import MAX_HEADER_BYTES, read_wav_header
from tidzam_platform.audio.children import spawn
from tidzam_platform.audio.ffmpeg import MAX_ERROR_BYTES, program, widen
from tidzam_platform.errors import DecodingError, TidzamError

_LOG = logging.getLogger(__name__)

# Blocks of this length are waited for: many sources with a block each packet would keep Python busy with nothing else.
BLOCK_FRAMES: Final = ENGINE_RATE_HZ // 10
_SAMPLE_BYTES: Final = 4
_DRAIN_BYTES: Final = 1 << 16
_END_S: Final = 5.0
_PUMP_S: Final = 0.5
# Before what ffmpeg says stands which part of it says so, and where in memory that is: `[alsa @ 0x5595d1c0]`.
_WHO_SAYS: Final = re.compile(r"^(?:\[[^\[\]]* @ 0x[0-9A-Fa-f]+\] *)+")
_NOTHING_CAME: Final = "End of file"
_ENVIRONMENT_KEPT: Final = ("PATH", "LD_LIBRARY_PATH")
# A WAV header tells the number of channels, so that nothing must be probed before.
_OUTPUT: Final = (
    *("-map", "0:a:0", "-vn", "-sn", "-dn", "-af", f"aresample={ENGINE_RATE_HZ}", "-ar", str(ENGINE_RATE_HZ)),
    *("-c:a", "pcm_f32le", "-fflags", "+bitexact", "-f", "wav", "pipe:1"),
)


class StreamDecoder:
    """A running ffmpeg. A context that ends it, the stream that it reads, and the thread between them.

    The thread that made it reads; a thread of its own carries the stream's bytes to ffmpeg.

    Args:
        input_arguments: up to ``-i`` and the input, as of ``ByteStream.input_arguments``; no word of a user in them
            where an option could stand.
        cancellation: of this decoder alone: ``close`` cancels it. It ends every wait, also those of the stream, which
            must have been opened with it.
        stream: what ffmpeg reads on standard input; None if it reads by itself (a sound card).
        environment: names of variables that it is given, beside what every program needs.
    """

    def __init__(
        self,
        input_arguments: Sequence[str],
        cancellation: Cancellation,
        *,
        stream: ByteStream | None = None,
        environment: Sequence[str] = (),
    ) -> None:
        self._cancellation = cancellation
        self._errors = bytearray()
        self._errors_ended = False
        self._partial = b""  # of a frame whose other bytes have not come yet
        self.channels = 0
        """Of the frames; known after ``read_header``."""
        takes_input = stream is not None and stream.takes_input
        kept = {key: os.environ[key] for key in (*_ENVIRONMENT_KEPT, *environment) if key in os.environ}
        quiet = ("-hide_banner", "-loglevel", "error", *(() if takes_input else ("-nostdin",)))
        try:
            self._process = spawn(
                [program("ffmpeg"), *quiet, *input_arguments, *_OUTPUT],
                stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                environment={**kept, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
                folder="/",
            )
        except BaseException:
            if stream is not None:
                stream.close()
            raise
        assert self._process.stdout is not None  # noqa: S101 - asked for
        assert self._process.stderr is not None  # noqa: S101 - asked for
        self._stdout, self._stderr = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._pump: _Pump | None = None
        try:
            for handle in (self._stdout, self._stderr):
                os.set_blocking(handle, False)
            widen(self._stdout)
            if stream is not None:
                pump = _Pump(stream, self._process)
                pump.start()  # RuntimeError where the system has no more threads
                self._pump = pump
        except BaseException:
            self._leave_nothing(stream)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of ffmpeg, and of its process group."""
        return self._process.pid

    @property
    def complaint(self) -> str:
        """The beginning of what it wrote on standard error, in one line."""
        lines = self._errors.decode("utf-8", errors="replace").splitlines()
        said = (_WHO_SAYS.sub("", line).strip().rstrip(".") for line in lines)
        return "; ".join(dict.fromkeys(line for line in said if line))

    def read_header(self, deadline_s: float) -> int:
        """Wait until the first audio comes; returns how many channels it has.

        Args:
            deadline_s: until when, of ``time.monotonic``.

        Raises:
            DecodingError: there is no audio, or none in time.
            FetchError: the stream broke, or it was cancelled.
        """
        head = b""
        while (found := read_wav_header(head)) is None:
            if len(head) > MAX_HEADER_BYTES:
                raise DecodingError("ffmpeg writes something else than audio")
            if not self._wait(deadline_s, output=True):
                raise DecodingError(f"no audio could be decoded in time{self._because()}")
            more = self._take(MAX_HEADER_BYTES)
            if more == b"":
                self.require_good_end()
                raise DecodingError(f"it ended before any audio could be decoded{self._because()}")
            head += more or b""
        self.channels, header_bytes = found
        self._partial = head[header_bytes:]
        return self.channels

    def read(self, deadline_s: float, *, block_frames: int = BLOCK_FRAMES) -> Frames | None:
        """Wait for a block of audio.

        Args:
            deadline_s: until when, of ``time.monotonic``.
            block_frames: so many are waited for, but not for long; fewer come if there are no more yet.

        Returns:
            float32 ``[frames, channels]`` at 48 kHz, not bounded in value; no frames if nothing came in time. None at
            the end: ``require_good_end`` says how it ended.

        Raises:
            FetchError: it was cancelled.
        """
        frame_bytes = self.channels * _SAMPLE_BYTES
        wanted = block_frames * frame_bytes - len(self._partial)
        if wanted > 0:
            if not self._wait(deadline_s, output=True):
                return np.zeros((0, self.channels), np.float32)
            if self._ready_bytes() < wanted:  # a packet: wait for a few more, at most as long as they last
                self._wait(min(deadline_s, time.monotonic() + block_frames / ENGINE_RATE_HZ), output=False)
            more = self._take(wanted)
            if more == b"":
                return None
            self._partial += more or b""
        frames = len(self._partial) // frame_bytes
        taken, self._partial = self._partial[: frames * frame_bytes], self._partial[frames * frame_bytes :]
        return np.frombuffer(taken, np.float32).reshape(frames, self.channels)

    def require_good_end(self) -> None:
        """After the end of the audio: raise what was wrong with it.

        Raises:
            FetchError: the stream broke.
            DecodingError: ffmpeg failed, was killed or does not end.
        """
        end_s = time.monotonic() + _END_S
        while not self._errors_ended and time.monotonic() < end_s:
            self._wait(end_s, output=False)
        try:
            code = self._process.wait(max(end_s - time.monotonic(), 0))
        except subprocess.TimeoutExpired as error:
            raise DecodingError(f"ffmpeg did not end within {_END_S:g} s{self._because()}") from error
        if self._pump is not None:
            self._pump.join(_PUMP_S)  # if the stream broke, it has ended before ffmpeg did
            if self._pump.error is not None:
                raise self._pump.error
        if code < 0:
            raise DecodingError(f"ffmpeg was killed ({signal.Signals(-code).name})")
        if code and not self.channels and _NOTHING_CAME in self.complaint:
            raise DecodingError(
                f"it ended before any audio came: there are headers only, or a part of them (ffmpeg: {self.complaint})"
            )
        if code:
            raise DecodingError(f"ffmpeg failed (exit code {code}){self._because()}")

    def close(self) -> None:
        """End it now, if it has not ended, and free everything. May be called again."""
        self._cancellation.cancel()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._pump is not None:
            self._pump.end()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may sit in the kernel, on a dead device
            self._process.wait(_END_S)

    def _leave_nothing(self, stream: ByteStream | None) -> None:
        """It could not begin: end the child, and close the stream that no thread carries to it."""
        try:
            if stream is not None:
                stream.close()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self.close()

    def _wait(self, deadline_s: float, *, output: bool) -> bool:
        """Empty standard error until there is output (True), or until the deadline."""
        poll = select.poll()
        if output:
            poll.register(self._stdout, select.POLLIN)
        if not self._errors_ended:
            poll.register(self._stderr, select.POLLIN)
        poll.register(self._cancellation.fileno(), select.POLLIN)
        while True:
            left_s = deadline_s - time.monotonic()
            ready = {handle for handle, _ in poll.poll(max(left_s, 0) * 1000)}
            self._cancellation.require_going()
            if self._stderr in ready and not self._take_errors():
                poll.unregister(self._stderr)
                if not output:
                    return False
            if self._stdout in ready:
                return True
            if left_s <= 0:
                return False

    def _ready_bytes(self) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self._stdout, termios.FIONREAD, count)
        return count[0]

    def _take(self, max_bytes: int) -> bytes | None:
        """Bytes that are there; none at the end; None if nothing is there yet."""
        try:
            return os.read(self._stdout, max_bytes)
        except BlockingIOError:
            return None

    def _take_errors(self) -> bool:
        """Whether standard error is still open."""
        try:
            taken = os.read(self._stderr, _DRAIN_BYTES)
        except BlockingIOError:
            return True
        self._errors_ended = not taken
        self._errors += taken[: MAX_ERROR_BYTES - len(self._errors)]
        return bool(taken)

    def _because(self) -> str:
        return f": {self.complaint}" if self.complaint else ""


class _Pump(threading.Thread):
    """Carries a stream's bytes into ffmpeg, and closes both at the end."""

    def __init__(self, stream: ByteStream, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="source-bytes", daemon=True)
        self._stream, self._pipe = stream, process.stdin
        self.error: TidzamError | None = None

    def run(self) -> None:
        """Until the stream ends, or ffmpeg does."""
        try:
            with self._stream:
                while data := self._stream.read():
                    if self._pipe is not None:
                        self._write(data)
        except TidzamError as error:
            self.error = error
        except BrokenPipeError:  # ffmpeg wants no more, and says why on standard error
            pass
        except Exception:  # noqa: BLE001 - a fault of ours: logged, and the source is started again
            _LOG.exception("a stream broke")
            self.error = DecodingError(
                "reading the stream failed by a fault of the engine; its log says more"
            )
        finally:
            if self._pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._pipe.close()

    def end(self) -> None:
        """Wait for its end; ffmpeg is dead or the stream cancelled, so nothing holds it."""
        self.join(_END_S)
        if self.is_alive():
            _LOG.error("a stream does not end within %g s after it was cancelled", _END_S)

    def _write(self, data: bytes) -> None:
        assert self._pipe is not None  # noqa: S101 - asked for
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._pipe.fileno(), rest) :]
