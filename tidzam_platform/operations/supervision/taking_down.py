"""Ending processes, each after those that need it, with all that they started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tidzam_platform.operations.supervision.bringing_up import Say
from tidzam_platform.operations.supervision.remote import ENDED, SupervisorClient
from tidzam_platform.operations.supervision.report import NOT_READY, STOPPED, ProcessReport
from tidzam_platform.operations.supervision.trees import alive, end, marked, tree

_POLL_S: Final = 0.05
_KILLED_S: Final = (
    10.0  # Supervisor looks at its processes once a second and kills the group when the time is over
)
_LEFT_S: Final = 2.0  # what outlived its parent gets so long after SIGTERM


def take_down(
    client: SupervisorClient, names: Iterable[str], home: Path, stop_s: Callable[[str], float], say: Say
) -> list[ProcessReport]:
    """End ``names`` in reverse order. A process that does not end in its time is killed with its group.

    Children that it leaves behind, in whatever group or session, are ended too.

    Args:
        client: Supervisor.
        names: in the order in which they start.
        home: the data folder.
        stop_s: the time that Supervisor gives a process, by name.
        say: told of progress.

    Raises:
        ProcessError: Supervisor refuses or is gone.
    """
    return [_take_down(client, name, home, stop_s(name), say) for name in reversed(list(names))]


def _take_down(client: SupervisorClient, name: str, home: Path, stop_s: float, say: Say) -> ProcessReport:
    info = client.processes().get(name)
    if info is None or (info.state in ENDED and not marked(home, name)):
        return ProcessReport(name, STOPPED, ok=True)
    say(f"{name}: stopping")
    began_s = time.monotonic()
    started = tree(info.pid) if info.pid else []
    client.stop(name)
    while (info := client.info(name)).state not in ENDED and time.monotonic() - began_s < stop_s + _KILLED_S:
        time.sleep(_POLL_S)
    took_s = time.monotonic() - began_s
    killed = end({*started, *marked(home, name)}, _LEFT_S)
    if left := [process.pid for process in killed if alive(process)]:
        problem = f"processes {left} cannot be killed; the kernel holds them (see ps -o stat,wchan)"
        say(f"{name}: {problem}")
        return ProcessReport(name, NOT_READY, ok=False, pid=info.pid, problem=problem)
    did = "killed" if took_s >= stop_s or killed else "stopped"
    say(f"{name}: {did} after {took_s:.1f} s")
    why = (
        f"it did not end within {stop_s:g} s"
        if took_s >= stop_s
        else "it left children behind"
        if killed
        else ""
    )
    return ProcessReport(name, STOPPED, ok=True, did=did, why=why)
