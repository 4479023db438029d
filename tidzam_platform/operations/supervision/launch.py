"""``python -m tidzam_platform.operations.supervision.launch FILE``: becomes the process that a launch file describes.

Supervisor runs it. The process is asked to end (SIGTERM) when Supervisor dies, kill -9 included.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_CANNOT_START: Final = 127  # as shells say it


def main() -> NoReturn:
    """Become the process; exits with 127 and one line in the log where that cannot be done."""
    try:
        _become(Path(sys.argv[1]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"this process cannot be started from {sys.argv[1:]}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(_CANNOT_START)


def _become(file: Path) -> NoReturn:
    document = json.loads(file.read_bytes())
    command = [str(part) for part in document["command"]]
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith("TIDZAM_")}
    environment = kept | {str(key): str(value) for key, value in document["environment"].items()}
    _end_with_parent()
    os.chdir(document["folder"])
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):  # what was ignored stays ignored otherwise
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execve(command[0], command, environment)  # noqa: S606 - a list, no shell


def _end_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main()
