"""A worker of the local engine: ``python -m serving.reprocessing.worker_process``.

Lines of JSON on standard input: the task, then one recording at a time. Lines on standard output: ``{"ready": true}``
when it has loaded the generation, ``{"heard_s": ...}`` while it works, ``{"done": id}`` after each recording,
``{"failed": text}`` when it can do none at all. It ends with its input, and dies with its parent. What libraries print
goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any, Final, TextIO

from serving.reprocessing.hearing import hear_and_store, load_generation
from serving.reprocessing.items import RecordingItem, WorkerTask
from tidzam_platform.errors import TidzamError

_TELL_S: Final = 1.0  # at most so often


def main() -> None:
    """Work until there is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    task = WorkerTask.from_json(sys.stdin.readline())
    try:
        load_generation(task)
        _tell(answers, {"ready": True})
        for line in sys.stdin:
            item = RecordingItem.from_dict(json.loads(line))
            hear_and_store(task, item, _Teller(answers))
            _tell(answers, {"done": item.recording_id})
    except TidzamError as error:
        _tell(answers, {"failed": str(error)})


class _Teller:
    """Tells how far a recording is heard, now and then: silence means that something hangs."""

    def __init__(self, answers: TextIO) -> None:
        self._answers, self._told_s = answers, time.monotonic()

    def __call__(self, heard_s: float) -> None:
        if time.monotonic() - self._told_s >= _TELL_S:
            self._told_s = time.monotonic()
            _tell(self._answers, {"heard_s": heard_s})


def _tell(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
