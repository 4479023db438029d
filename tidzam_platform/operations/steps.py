"""Long steps of the set-up: what is being done now, for how long, and the log of the programs that do it.

Standard library only: the bootstrap uses it before the environment exists.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NoReturn

from tidzam_platform.errors import SetUpError
from tidzam_platform.operations.process_group import die_with_parent, end_group

_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16 << 10
_TICK_S: Final = 0.1
_GRACE_S: Final = 5.0  # between asking a program to end and killing it
_SPINNER: Final = "|/-\\"
_TERMINAL_WIDTH: Final = 100


class StepFailedError(SetUpError):
    """A program that a step ran failed or took too long; the message ends with the tail of its output.

    Attributes:
        reason: the last line that the program wrote, or what became of it where it wrote none.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Steps:
    """Runs programs one after the other, shows one line a step, and keeps their output in a log.

    Args:
        log: where the programs' output goes; what was there is replaced.
        keep_open: file descriptors that the programs inherit, so that a lock outlives us while they run.
    """

    def __init__(self, log: Path, *, keep_open: Sequence[int] = (), screen: IO[str] | None = None) -> None:
        self._log_path = log
        self._keep_open = tuple(keep_open)
        self._screen = screen or sys.stderr
        self._lively = self._screen.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._title = ""  # of the step that is open
        self._began_s = 0.0
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            self._log = log.open("wb")
        except OSError as error:
            raise SetUpError(
                f"the log {log} cannot be written ({error.strerror}); set TIDZAM_HOME elsewhere"
            ) from error

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def say(self, text: str) -> None:
        """A remark on a line of its own."""
        self._screen.write(f"{chr(10) if self._title else ''}tidzam: {text}\n")
        self._screen.flush()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show ``title`` while the block runs, and how long it took when it ends well."""
        self._title, self._began_s = title, time.monotonic()
        self._screen.write(f"tidzam: {title} ... ")
        self._screen.flush()
        outcome = "failed"
        try:
            yield
            outcome = ""
        except KeyboardInterrupt:
            outcome = "stopped"
            raise
        finally:
            again = f"\r\033[Ktidzam: {title} ... " if self._lively else ""
            took = _clock(time.monotonic() - self._began_s)
            self._screen.write(f"{again}{outcome or took}\n")
            self._screen.flush()
            self._title = ""

    def run(
        self,
        command: Sequence[str | Path],
        *,
        deadline_s: float,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        text: str = "",
        must_finish: bool = False,
    ) -> None:
        """Run a program to its end; its output goes to the log.

        Args:
            command: the program and its arguments.
            deadline_s: it is ended after this time.
            environment: all of its environment; ours by default.
            folder: where it runs; our working directory by default.
            text: what it reads from standard input.
            must_finish: to end it halfway would leave the system damaged (dpkg). Ctrl-C waits for its end,
                and it lives on if we are killed; it inherits none of ``keep_open``, which services that
                packages start would hold for ever (dpkg has a lock of its own).

        Raises:
            StepFailedError: it could not be started, failed, or took longer than ``deadline_s``.
        """
        line = " ".join(str(part) for part in command)
        self._log.write(f"$ {line}\n".encode())
        self._log.flush()
        begin = self._log.tell()
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,  # Ctrl-C reaches us alone, and a group can be ended whole
                pass_fds=() if must_finish else self._keep_open,
                preexec_fn=None if must_finish else die_with_parent(),  # noqa: PLW1509 - we run no threads
            )
        except OSError as error:
            raise StepFailedError(f"{command[0]} cannot be started: {error}", str(error)) from error
        try:
            with contextlib.suppress(BrokenPipeError), child.stdin as stdin:  # type: ignore[union-attr]
                stdin.write(text.encode())
            self._await(child, time.monotonic() + deadline_s, begin, must_finish=must_finish)
        except BaseException:
            end_group(child, _GRACE_S)
            raise
        if child.returncode is None:
            end_group(child, _GRACE_S)
            self._fail(line, f"did not end within {deadline_s:.0f} s", begin)
        if child.returncode != 0:
            self._fail(line, f"failed with exit code {child.returncode}", begin)

    def _await(
        self, child: subprocess.Popen[bytes], deadline: float, begin: int, *, must_finish: bool
    ) -> None:
        while time.monotonic() < deadline:
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_TICK_S)
                    return
                if self._lively:
                    self._draw(begin)
            except KeyboardInterrupt:
                if not must_finish:
                    raise
                self.say("the package manager must finish this step; stopping after it")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(max(0.0, deadline - time.monotonic()))
                raise

    def _draw(self, begin: int) -> None:
        elapsed_s = time.monotonic() - self._began_s
        spin = _SPINNER[int(elapsed_s / _TICK_S) % len(_SPINNER)]
        lines = _tail(self._log_path, begin, 1)
        text = f"tidzam: {self._title} {spin} {_clock(elapsed_s)}  {lines[-1].strip() if lines else ''}"
        try:
            width = os.get_terminal_size(self._screen.fileno()).columns or _TERMINAL_WIDTH
        except OSError:
            width = _TERMINAL_WIDTH
        self._screen.write(f"\r\033[K{text[: width - 1]}")
        self._screen.flush()

    def _fail(self, command: str, outcome: str, begin: int) -> NoReturn:
        tail = _tail(self._log_path, begin, _TAIL_LINES)
        shown = "".join(f"  | {line}\n" for line in tail)
        message = f"{command}\n  {outcome}\n{shown}  all of its output: {self._log_path}"
        raise StepFailedError(message, tail[-1].strip() if tail else outcome)


def _tail(log: Path, begin: int, lines: int) -> list[str]:
    """The last printable lines of the log after byte ``begin``."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(begin, size - _TAIL_BYTES))
        text = file.read().decode(errors="replace").replace("\r", "\n")
    shown = ["".join(c for c in line if c.isprintable()) for line in text.splitlines()]
    return [line for line in shown if line.strip()][-lines:]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
