"""A worker process as its parent sees it: given one recording at a time, it answers in lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any, Final

from serving.reprocessing.items import RecordingItem, WorkerTask
from tidzam_platform.errors import ReprocessingError
from tidzam_platform.operations.process_group import die_with_parent, end_group

_END_S: Final = 5.0
_READ_BYTES: Final = 1 << 16
_MAX_LINE_BYTES: Final = 1 << 20
_TAIL_BYTES: Final = 2000
# A worker a processor: libraries that compute in threads of their own would get in each other's way.
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Worker:
    """A worker that is started at once; ``close`` ends it."""

    def __init__(self, task: WorkerTask) -> None:
        self.item: RecordingItem | None = None  # what it works at
        self.is_ready = False  # whether it has loaded the generation
        self._unread = b""
        self._heard_of_s = time.monotonic()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving.reprocessing.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C of a terminal reaches the parent alone
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of libc, no lock is taken
        )
        self._send(task.to_json())

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def fileno(self) -> int:
        """What can be read when it has said something, or has ended."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        return self._process.stdout.fileno()

    @property
    def silent_s(self) -> float:
        """Since when it has said nothing, while it works."""
        return 0.0 if self.item is None else time.monotonic() - self._heard_of_s

    def give(self, item: RecordingItem) -> None:
        """Let it hear a recording; it must not be at another. One that has died is found out by ``answers``."""
        self.item, self._heard_of_s = item, time.monotonic()
        self._send(json.dumps(item.to_dict()))

    def answers(self) -> list[dict[str, Any]] | None:
        """What it has said since the last time; None when it has ended.

        Raises:
            ReprocessingError: it says what no worker says.
        """
        got = os.read(self.fileno(), _READ_BYTES)
        if not got:
            return None
        self._heard_of_s = time.monotonic()
        *lines, self._unread = (self._unread + got).split(b"\n")
        if len(self._unread) > _MAX_LINE_BYTES:
            raise ReprocessingError(f"worker {self.pid} writes a line without end")
        return [json.loads(line) for line in lines]

    def how_it_ended(self) -> str:
        """For a person: by which signal or exit code, and its last complaints. Ends it if it has not ended."""
        end_group(self._process, _END_S)
        code = self._process.returncode
        self._complaints.seek(max(0, self._complaints.seek(0, os.SEEK_END) - _TAIL_BYTES))
        last = self._complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}{': ' + last[0] if last else ''}"

    def close(self) -> None:
        """End it now, whatever it is at, with all that it started."""
        self._process.kill()
        end_group(self._process, _END_S)
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it died before it took what it was given
                    pipe.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died; ``answers`` finds that out
