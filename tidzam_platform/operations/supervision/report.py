"""What became of each process."""

from __future__ import annotations

from dataclasses import dataclass

# States for people.
READY = "ready"
NOT_READY = "not ready"
STOPPED = "stopped"
DEAD = "dead"


@dataclass(frozen=True)
class ProcessReport:
    """One process after a command.

    Attributes:
        name: of the process.
        state: ``ready``, ``not ready``, ``stopped`` or ``dead``.
        ok: whether it is as the command wanted it.
        did: what the command did: ``started``, ``restarted``, ``stopped``, ``killed``, or nothing.
        pid: 0 where none runs.
        why: why the command did that; may be empty.
        problem: why it is not as wanted, with the end of its log; empty where it is.
    """

    name: str
    state: str
    ok: bool
    did: str = ""
    pid: int = 0
    why: str = ""
    problem: str = ""
