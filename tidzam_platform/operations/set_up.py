"""Everything that must be there before a command runs: the environment and the system parts.

Standard library only: the bootstrap calls this before the environment exists.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tidzam_platform.crash_points import reach
from tidzam_platform.errors import SetUpError
from tidzam_platform.operations import debian_packages, stamp
from tidzam_platform.operations.environment import Environment
from tidzam_platform.operations.steps import StepFailedError, Steps
from tidzam_platform.operations.system_parts import USER_PARTS, SystemPart, install_command, missing_parts

LOCK_FILE: Final = ".tidzam-setup.lock"
_LOCK_DEADLINE_S: Final = 3600.0
_LOCK_POLL_S: Final = 0.2


def set_up(
    root: Path, *, extras: Sequence[str] = (), parts: Sequence[SystemPart] = USER_PARTS, again: bool = False
) -> None:
    """Make the environment, then install the system parts where that is allowed; does only what is missing.

    A part that could not be installed is no error: it is named once, with the command that installs it.
    A call that was interrupted, kill -9 included, is repaired by the next; of two calls at once one waits.

    Args:
        root: the project's folder.
        extras: optional dependencies, by their name in pyproject.toml.
        parts: system parts to install.
        again: try parts that were tried before, too.

    Raises:
        SetUpError: the environment cannot be made.
    """
    root = root.resolve()
    names = tuple(part.name for part in parts)
    with locked(root) as lock:
        if not again and stamp.is_ready(str(root), tuple(extras), names):
            return  # another call did it while we waited
        log = Path(os.environ.get("TIDZAM_HOME") or root / "var") / "logs" / "set-up.log"
        began_s = time.monotonic()
        with contextlib.closing(Steps(log, keep_open=[lock])) as steps:
            known = stamp.read_stamp(str(root))
            made = Environment(root, steps)
            if not stamp.is_current(str(root), tuple(extras)):
                if not known:
                    steps.say(f"first call: setting up below {root / stamp.VENV}; this takes minutes, once")
                made.bring_up_to_date(extras)
            made.write(stamp.INSTALLED)
            reach("set-up.parts")
            tried = set() if again else stamp.names(known, "tried_parts")
            due = [part for part in parts if part.name not in tried]
            _install_parts(due, steps, root / stamp.VENV / debian_packages.RECORD)
            made.write(stamp.READY, tried_parts=names)
            steps.say(f"set up in {time.monotonic() - began_s:.0f} s")


def _install_parts(parts: Sequence[SystemPart], steps: Steps, record: Path) -> None:
    """Install what is missing of ``parts``; where that fails or is not allowed, say what is missing."""
    try:
        debian_packages.recover(steps, record)
        missing = missing_parts(parts)
        if not missing:
            return
        reason = debian_packages.refusal()
        if not reason:
            order = debian_packages.Order(
                packages=tuple(part.package for part in missing),
                services=tuple(service for part in missing for service in part.services),
                debconf=tuple(answer for part in missing for answer in part.debconf),
            )
            with steps.step(f"installing {', '.join(order.packages)} (Debian packages)"):
                debian_packages.install(order, steps, record)
    except StepFailedError as error:
        reason = str(error)
    if missing := missing_parts(parts):
        steps.say(describe_missing(missing, reason))


def describe_missing(missing: Sequence[SystemPart], reason: str = "") -> str:
    """What is missing, what it is for, what works without, and how it is installed."""
    lines = [
        "missing on this system:",
        *(f"  {part.name}: for {part.needed_for}; without it: {part.without}" for part in missing),
    ]
    if reason:
        lines.append(f"not installed by itself: {reason}")
    lines.append(f"install: {install_command(missing)}")
    lines.append("look again: ./tidzam check      try again: ./tidzam check --install")
    return "\n        ".join(lines)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[int]:
    """Hold the lock of the set-up; yields its file descriptor."""
    path = root / LOCK_FILE
    try:
        file = path.open("a+")
    except OSError as error:
        raise SetUpError(
            f"{root} cannot be written ({error.strerror}): run ./tidzam once as its owner, "
            "or use a clone of your own"
        ) from error
    with file:
        if not _try_lock(file.fileno()):
            file.seek(0)
            holder = file.read().strip()
            sys.stderr.write(
                f"tidzam: another ./tidzam (process {holder or 'unknown'}) is setting up; waiting for it\n"
            )
            deadline = time.monotonic() + _LOCK_DEADLINE_S
            while not _try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise SetUpError(
                        f"another ./tidzam still holds {path} after {_LOCK_DEADLINE_S:.0f} s; stop it"
                    )
                time.sleep(_LOCK_POLL_S)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
