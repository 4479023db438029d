"""``./tidzam check``: what is there, what is missing and how to get it; and what is broken of what should run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table
from tidzam_platform.cli.processes import print_process_table, supervised
from tidzam_platform.operations.extras import EXTRAS, install_extras
from tidzam_platform.operations.findings import Finding, look
from tidzam_platform.operations.set_up import set_up
from tidzam_platform.operations.supervision.report import ProcessReport
from tidzam_platform.operations.termination import sigterm_like_ctrl_c
from tidzam_platform.settings import PROJECT_ROOT


@click.command()
@click.argument("processes", nargs=-1, metavar="[PROCESS]...")
@click.option("--install", is_flag=True, help="First try again to install the system parts that are missing.")
@click.option(
    "--extra",
    "extras",
    multiple=True,
    type=click.Choice(sorted(EXTRAS)),
    help="First install optional Python packages; may be given again. "
    + "; ".join(f"{name}: {what}" for name, what in EXTRAS.items())
    + ".",
)
@json_option
@click.pass_context
@sigterm_like_ctrl_c()
def check(
    ctx: click.Context, processes: tuple[str, ...], install: bool, extras: tuple[str, ...], as_json: bool
) -> None:
    """Look at Python, its packages, the system's programs, data folder, catalog, store, and what should be running.

    What is only useful, or only for tests, may be missing: the table says what works without it. --install tries
    again to install missing programs, as root or where sudo asks for no password. An --extra that was installed stays
    through later updates.

    Of the processes that were started and not stopped (of PROCESSes, if any are given), those that are broken are
    started again, and no others: dead, not ready though they had supervision.ready_s, or holding more than
    supervision.max_memory_share of the memory. Where nothing was started, nothing is.

    Exit code 0 when all that is needed is there and what should run is ready, mended or not; 1 otherwise; 5 while
    another start, stop, restart or check is at work.

    \b
    Examples:
      ./tidzam check
      ./tidzam check engine
      ./tidzam check --install
      ./tidzam check --extra gpu
      ./tidzam check --json
    """
    if extras:
        install_extras(PROJECT_ROOT, extras)
    if install:
        set_up(PROJECT_ROOT, again=True)
    findings = list(look())
    settings_are_wrong = any(finding.name == "settings" for finding in findings)
    reports, runs = ([], False) if settings_are_wrong else _mend(processes)
    is_there = all(finding.ok for finding in findings if finding.needed)
    ok = is_there and all(report.ok for report in reports)
    if as_json:
        print_json(
            {
                "ok": ok,
                "findings": [asdict(finding) for finding in findings],
                "running": runs,
                "processes": [asdict(report) for report in reports],
            }
        )
    else:
        print_findings(findings)
        print_line("all that is needed is there" if is_there else "something that is needed is missing")
        if reports:
            print_process_table(reports)
        else:
            print_line(f"{'none of that was started' if runs else 'nothing runs'}; ./tidzam start starts it")
    ctx.exit(0 if ok else 1)


def print_findings(findings: Sequence[Finding]) -> None:
    """A table on standard output: what was looked at, and what mends what is missing."""
    print_table("", ["", "what", "found", "to mend it"], [_row(finding) for finding in findings])


def _mend(processes: tuple[str, ...]) -> tuple[list[ProcessReport], bool]:
    """Mend what is broken; and whether anything is supervised."""
    supervision = supervised()
    return supervision.check(processes), supervision.is_running()


def _row(finding: Finding) -> tuple[str, str, str, str]:
    sign = "ok" if finding.ok else "MISSING" if finding.needed else "missing"
    works = f"\nworks without: {finding.without}" if finding.without else ""
    return (sign, finding.name, finding.found or "-", f"{finding.remedy}{works}")
