"""``./tidzam start``, ``stop`` and ``restart``: the processes of this machine, supervised in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from tidzam_platform.cli.output import json_option, print_json, print_table, remarks
from tidzam_platform.errors import TidzamError
from tidzam_platform.operations.supervision.foreground import run_in_foreground
from tidzam_platform.operations.supervision.processes import process_table
from tidzam_platform.operations.supervision.report import ProcessReport
from tidzam_platform.operations.supervision.supervision import Supervision
from tidzam_platform.operations.termination import WaitEnded, sigterm_like_ctrl_c
from tidzam_platform.settings import load_settings

_names = click.argument("processes", nargs=-1, metavar="[PROCESS]...")


@click.command(
    epilog="""\b
Examples:
  ./tidzam start                       all processes of this machine (supervision.processes), in order
  ./tidzam start web                   the web process, and what it needs
  ./tidzam start --json                say what became of each
  ./tidzam start --foreground          for systemd: until SIGTERM or ./tidzam stop
"""
)
@_names
@click.option("--foreground", is_flag=True, help="Do not return: run until SIGTERM, Ctrl-C or ./tidzam stop.")
@json_option
@click.pass_context
@sigterm_like_ctrl_c()
def start(ctx: click.Context, processes: tuple[str, ...], foreground: bool, as_json: bool) -> None:
    """Start PROCESSes (all if none is given) and what they need, and wait until each is ready.

    The processes are model-server, engine, analyzer, web and dagster. They run in the background, are started again
    when they die, and write their logs into logs/ in the data folder. What runs already is left alone, unless its
    settings changed: then it is started again. Exit code 0 when all are ready, 1 otherwise; Ctrl-C ends the wait and
    nothing else.
    """
    supervision = supervised()
    if foreground:
        run_in_foreground(supervision, processes, lambda reports: show(reports, as_json=as_json))
        return
    try:
        reports = supervision.start(processes)
    except KeyboardInterrupt as interrupt:
        raise _what_runs_on(supervision) from interrupt
    ctx.exit(show(reports, as_json=as_json))


@click.command(
    epilog="""\b
Examples:
  ./tidzam stop                        everything that ./tidzam start started
  ./tidzam stop engine                 the engine, and what needs it
"""
)
@_names
@json_option
@click.pass_context
@sigterm_like_ctrl_c()
def stop(ctx: click.Context, processes: tuple[str, ...], as_json: bool) -> None:
    """Stop PROCESSes (all if none is given) in reverse order, with all that they started.

    Each gets supervision.stop_s to end in order; then it and its group are killed. What needs a process that is
    stopped is stopped first. Where nothing runs, that is fine. Exit code 0 when nothing is left.
    """
    ctx.exit(show(supervised().stop(processes), as_json=as_json))


@click.command(
    epilog="""\b
Examples:
  ./tidzam restart                     everything, with the settings as they are now
  ./tidzam restart engine              the engine, and what needs it
"""
)
@_names
@json_option
@click.pass_context
@sigterm_like_ctrl_c()
def restart(ctx: click.Context, processes: tuple[str, ...], as_json: bool) -> None:
    """Stop PROCESSes (all if none is given) and what needs them, and start them again.

    Exit code 0 when all are ready again, 1 otherwise.
    """
    supervision = supervised()
    try:
        reports = supervision.restart(processes)
    except KeyboardInterrupt as interrupt:
        raise _what_runs_on(supervision) from interrupt
    ctx.exit(show(reports, as_json=as_json))


def supervised() -> Supervision:
    """The processes that the settings name; progress goes to standard error."""
    settings = load_settings()
    return Supervision(settings, process_table(settings), remarks.print)


def show(reports: Sequence[ProcessReport], *, as_json: bool) -> int:
    """Tell what became of processes; returns the exit code. Problems with their logs are remarks, told before."""
    ok = all(report.ok for report in reports)
    if as_json:
        print_json({"ok": ok, "processes": [asdict(report) for report in reports]})
    else:
        print_process_table(reports)
    return 0 if ok else 1


def print_process_table(reports: Sequence[ProcessReport]) -> None:
    """A row for each process."""
    rows = [
        (one.name, one.state, one.did, one.pid or "-", one.problem.partition("\n")[0] or one.why)
        for one in reports
    ]
    print_table("", ["process", "state", "done", "pid", "why"], rows)


def _what_runs_on(supervision: Supervision) -> WaitEnded:
    """Ctrl-C ends the wait, not what was started."""
    try:
        names = supervision.running()
    except TidzamError as error:
        return WaitEnded(f"no longer waiting; what runs now is not known: {error}")
    return WaitEnded(
        f"no longer waiting; still running: {', '.join(names) or 'nothing'} (./tidzam stop ends all)"
    )
