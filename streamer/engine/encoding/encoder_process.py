"""ffmpeg as an encoder: samples in, bytes out, and nobody ever waits for it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from typing import Final, Self

from tidzam_platform.audio.children import spawn
from tidzam_platform.audio.ffmpeg import MAX_ERROR_BYTES, program, widen

_READ_BYTES: Final = 1 << 16
_READ_AT_ONCE: Final = 1 << 20  # of output, in one call
_ENDED_S: Final = 2.0  # from the end of its output to that of the process
_KILLED_S: Final = 5.0
_ENVIRONMENT_KEPT: Final = ("PATH", "LD_LIBRARY_PATH")  # no secrets, no proxies, no FFREPORT


class EncoderProcess:
    """A running ffmpeg; a context manager that ends it. For one thread.

    What is written waits in a queue until it goes into the pipe; the caller looks at ``unsent_bytes`` before it writes
    more, so that memory stays bounded.

    Args:
        arguments: of ffmpeg; no word of a user may stand where an option could.
        pipe_bytes: size asked for the pipe of samples.
    """

    def __init__(self, arguments: Sequence[str], *, pipe_bytes: int = _READ_BYTES) -> None:
        environment = {key: os.environ[key] for key in _ENVIRONMENT_KEPT if key in os.environ}
        self._process = spawn(
            [program("ffmpeg"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environment={**environment, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
            folder="/",
        )
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._stdin, self._stdout, self._stderr = (-1 if pipe is None else pipe.fileno() for pipe in pipes)
        for handle in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(handle, False)
        widen(self._stdin, pipe_bytes)
        self._unsent: deque[memoryview] = deque()
        self._ends_input = False
        self._errors = bytearray()
        self.unsent_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process, and of its process group."""
        return self._process.pid

    @property
    def stdout(self) -> int:
        """The descriptor that becomes readable when there is output; -1 after its end."""
        return self._stdout

    @property
    def has_ended(self) -> bool:
        """Whether all of its output has been read."""
        return self._stdout < 0

    @property
    def complaint(self) -> str:
        """The beginning of what it wrote on standard error."""
        self._take_errors()
        return self._errors.decode("utf-8", errors="replace").strip()

    def write(self, data: bytes) -> None:
        """Queue samples, and send what the pipe takes."""
        if data and not self._ends_input and self._stdin >= 0:
            self._unsent.append(memoryview(data))
            self.unsent_bytes += len(data)
            self.send()

    def end_input(self) -> None:
        """Nothing more will be written: it encodes what is left, and ends."""
        self._ends_input = True
        self.send()

    def send(self) -> int:
        """Send what the pipe takes now; returns how many bytes."""
        sent = 0
        try:
            while self._unsent and self._stdin >= 0:
                count = os.write(self._stdin, self._unsent[0])
                sent += count
                rest = self._unsent[0][count:]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it has ended, and says why on standard error
            self._unsent.clear()
            self.unsent_bytes = sent
            self._close_stdin()
        self.unsent_bytes -= sent
        if self._ends_input and not self._unsent:
            self._close_stdin()
        return sent

    def receive(self) -> bytes:
        """The output that is there now, 1 MiB at most; empty if there is none, or it has ended."""
        received = bytearray()
        try:
            while self._stdout >= 0 and len(received) < _READ_AT_ONCE:
                data = os.read(self._stdout, _READ_BYTES)
                if not data:
                    self._close_stdout()
                received += data
        except BlockingIOError:
            pass
        self._take_errors()
        return bytes(received)

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is output, or room for what is unsent; returns whether there is."""
        poll = select.poll()
        if self._stdout >= 0:
            poll.register(self._stdout, select.POLLIN)
        if self._stdin >= 0 and self._unsent:
            poll.register(self._stdin, select.POLLOUT)
        return bool(poll.poll(max(timeout_s, 0) * 1000))

    def exit_code(self) -> int | None:
        """What it ended with, once all output has been read; None where it still runs."""
        try:
            return self._process.wait(_ENDED_S)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End it now, if it has not ended, and free everything. May be called again."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._close_stdin()
        self._close_stdout()
        self._close_stderr()
        self._unsent.clear()
        self.unsent_bytes = 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED_S)

    def _take_errors(self) -> None:
        try:
            while self._stderr >= 0:
                data = os.read(self._stderr, _READ_BYTES)
                if not data:
                    self._close_stderr()
                self._errors += data[: MAX_ERROR_BYTES - len(self._errors)]
        except BlockingIOError:
            pass

    def _close_stdin(self) -> None:
        self._stdin = -1
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _close_stdout(self) -> None:
        self._stdout = -1
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _close_stderr(self) -> None:
        self._stderr = -1
        if self._process.stderr is not None:
            self._process.stderr.close()
