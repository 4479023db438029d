"""Supervision in the foreground, as systemd wants it: says when it is ready, and ends in order on SIGTERM."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterable

from tidzam_platform.errors import BusyError, ProcessError, TidzamError
from tidzam_platform.operations.supervision.report import ProcessReport
from tidzam_platform.operations.supervision.supervision import Supervision
from tidzam_platform.operations.termination import sigterm_like_ctrl_c


def run_in_foreground(
    supervision: Supervision, names: Iterable[str], on_started: Callable[[list[ProcessReport]], object]
) -> None:
    """Start processes, then wait until somebody stops them: SIGTERM, Ctrl-C, or ``./tidzam stop``.

    A process that did not become ready ends nothing: the others run, and ``./tidzam check`` tries it again.

    Args:
        supervision: not running yet.
        names: of processes; all if none is given.
        on_started: called with the reports when all were waited for.

    Raises:
        ProcessError: they run already, or Supervisor ended though nobody asked it to.
    """
    with sigterm_like_ctrl_c():
        child = supervision.launch_in_foreground()
        try:
            reports = supervision.start(names)
            broken = ", ".join(report.name for report in reports if not report.ok)
            notify("READY=1", f"STATUS={f'not ready: {broken}' if broken else 'all are ready'}")
            on_started(reports)
            status = child.wait()
        except KeyboardInterrupt:
            notify("STOPPING=1")
            _stop(supervision, child)
            return
        except TidzamError:
            _stop(supervision, child)
            raise
    if status != 0:
        raise ProcessError(
            f"Supervisor ended with status {status}; its log is logs/supervisord.log in the home"
        )


def notify(*lines: str) -> None:
    """Tell systemd, where it started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto("\n".join(lines).encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def _stop(supervision: Supervision, child: subprocess.Popen[bytes]) -> None:
    try:
        supervision.stop()
    except BusyError:  # somebody restarts a process just now: Supervisor ends all in order without our lock
        child.terminate()
    child.wait()
