"""ffmpeg and ffprobe as child processes: what goes in, what comes out, and when they are given up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Final, Self

from tidzam_platform.audio.children import spawn
from tidzam_platform.errors import DecodingError, MissingSystemPartError

# No byte in or out for so long: it hangs, on a dead network file system for instance.
STALL_S: Final = 60.0
MAX_ERROR_BYTES: Final = 4096
PIPE_BYTES: Final = 1 << 20  # of Linux's default of 64 KiB a second of 30 channels needs 90
_KILLED_S: Final = 5.0
_DRAIN_BYTES: Final = 1 << 16

# Nothing else of our environment concerns it: no secrets, no proxies, no FFREPORT.
_ENVIRONMENT_KEPT: Final = ("PATH", "LD_LIBRARY_PATH")
INPUT_OPTIONS: Final = ("-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,pipe")


def program(name: str) -> str:
    """Absolute path of ``ffmpeg`` or ``ffprobe``.

    Raises:
        MissingSystemPartError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingSystemPartError(
            f"{name} is not installed, and audio needs it: apt-get install ffmpeg (Debian, Ubuntu)"
        )
    return found


def widen(pipe: int, size_bytes: int = PIPE_BYTES) -> None:
    """Let a pipe hold more than Linux's 64 KiB where we may: users have a limit for all their pipes together."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size_bytes)


class Child:
    """A running ffmpeg or ffprobe; a context manager that ends it.

    One thread does everything: while it waits for output it also writes what the child wants to read and empties
    what it complains, so that no pipe can fill up and block. Output that nobody reads stays in the pipe and stops
    the child.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        feed: Iterator[bytes] | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        """Start ``name`` with ``arguments``.

        Args:
            name: ``ffmpeg`` or ``ffprobe``.
            arguments: its arguments; no word of a user may stand where an option could.
            feed: what it reads on standard input.
            stall_s: without any progress for so long it is killed.
        """
        self._name = name
        self._feed = feed
        self._stall_s = stall_s
        self._unsent = memoryview(b"")
        self._errors = bytearray()
        environment = {key: os.environ[key] for key in _ENVIRONMENT_KEPT if key in os.environ}
        self._process = spawn(
            [program(name), *arguments],
            stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environment={**environment, "LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"},
            folder="/",
        )
        self._stdin, self._stdout, self._stderr = (
            -1 if pipe is None else pipe.fileno()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._poll = select.poll()
        for handle, events in (
            (self._stdin, select.POLLOUT),
            (self._stdout, select.POLLIN),
            (self._stderr, select.POLLIN),
        ):
            if handle < 0:
                continue
            os.set_blocking(handle, False)
            self._poll.register(handle, events)
            if handle != self._stderr:
                widen(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process, and of its process group."""
        return self._process.pid

    @property
    def complaint(self) -> str:
        """The beginning of what it wrote on standard error."""
        return self._errors.decode("utf-8", errors="replace").strip()

    def read_into(self, buffer: memoryview) -> int:
        """Fill ``buffer`` (bytes) with output; returns how many bytes, less than asked for only at the end.

        Raises:
            DecodingError: no progress for ``stall_s``.
        """
        filled = 0
        deadline_s = time.monotonic() + self._stall_s
        while filled < len(buffer) and self._stdout >= 0:
            ready = self._poll.poll(max(deadline_s - time.monotonic(), 0) * 1000)
            progress = 0
            for handle, _ in ready:
                if handle == self._stdout:
                    got = os.readv(handle, [buffer[filled:]])
                    filled += got
                    progress += got
                    if got == 0:
                        self._close_stdout()
                elif handle == self._stdin:
                    progress += self._send()
                else:
                    self._take_errors()
            if progress:
                deadline_s = time.monotonic() + self._stall_s
            elif time.monotonic() >= deadline_s:
                self.close()
                raise DecodingError(f"{self._name} made no progress for {self._stall_s:g} s and was ended")
        return filled

    def read_all(self, max_bytes: int) -> bytes:
        """All output, to its end or ``max_bytes``."""
        output = bytearray(max_bytes)
        got = self.read_into(memoryview(output))
        return bytes(output[:got])

    def finish(self) -> None:
        """Wait for its end, after its output has been read to the end.

        Raises:
            DecodingError: it failed, or did not end in time.
        """
        self._close_stdin()
        deadline_s = time.monotonic() + self._stall_s
        while self._stderr >= 0 and time.monotonic() < deadline_s:
            if self._poll.poll(max(deadline_s - time.monotonic(), 0) * 1000):
                self._take_errors()
        try:
            code = self._process.wait(max(deadline_s - time.monotonic(), 0))
        except subprocess.TimeoutExpired as error:
            self.close()
            raise DecodingError(
                f"{self._name} did not end within {self._stall_s:g} s and was ended"
            ) from error
        if code:
            raise DecodingError(
                f"{self._name} failed (exit code {code}): {self.complaint or 'no reason given'}"
            )

    def close(self) -> None:
        """End it now, if it has not ended, and free everything. May be called again."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._close_stdin()
        self._close_stdout()
        self._close_stderr()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may sit in the kernel, on a dead disk
            self._process.wait(_KILLED_S)

    def _send(self) -> int:
        """Write once to standard input; returns how many bytes went."""
        if not self._unsent and self._feed is not None:
            self._unsent = memoryview(next(self._feed, b""))
        if not self._unsent:
            self._close_stdin()
            return 1
        try:
            sent = os.write(self._stdin, self._unsent)
        except BrokenPipeError:  # it wants no more, and says why on standard error
            self._close_stdin()
            return 1
        except BlockingIOError:
            return 0
        self._unsent = self._unsent[sent:]
        return sent

    def _take_errors(self) -> None:
        try:
            taken = os.read(self._stderr, _DRAIN_BYTES)
        except BlockingIOError:
            return
        if not taken:
            self._close_stderr()
        self._errors += taken[: MAX_ERROR_BYTES - len(self._errors)]

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            self._poll.unregister(self._stdin)
            self._stdin = -1
        self._feed = None
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _close_stdout(self) -> None:
        if self._stdout >= 0:
            self._poll.unregister(self._stdout)
            self._stdout = -1
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _close_stderr(self) -> None:
        if self._stderr >= 0:
            self._poll.unregister(self._stderr)
            self._stderr = -1
        if self._process.stderr is not None:
            self._process.stderr.close()
