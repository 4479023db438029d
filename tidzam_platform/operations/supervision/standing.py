"""What Supervisor does about a process that does not answer, for people who ask that process."""

from __future__ import annotations

from pathlib import Path

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.supervision.configuration import SOCKET
from tidzam_platform.operations.supervision.remote import STOPPED, STOPPING, SupervisorClient


def what_comes_of(home: Path, name: str) -> str:
    """A sentence about a process of ``home`` that does not answer; empty where nobody looks after it.

    Args:
        home: the data folder.
        name: of the process, e.g. ``engine``.
    """
    try:
        info = SupervisorClient(home / SOCKET).processes().get(name)
    except ProcessError:
        return ""
    if info is None or info.state == STOPPED:
        return ""
    if info.is_given_up:
        return (
            f"it was given up, logs/{name}.log in the data folder says why; when that is mended, start it with "
            f"./tidzam start {name}"
        )
    if info.state == STOPPING:
        return f"it is being stopped; start it again with ./tidzam start {name}"
    return "it is being started again: ask once more in a few seconds"
