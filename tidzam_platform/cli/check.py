"""``./tidzam check``: what is there, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import asdict

import click

from tidzam_platform.cli.output import json_option, print_json, print_table
from tidzam_platform.operations.extras import EXTRAS, install_extras
from tidzam_platform.operations.findings import Finding, look
from tidzam_platform.operations.set_up import set_up
from tidzam_platform.settings import PROJECT_ROOT


@click.command()
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
def check(ctx: click.Context, install: bool, extras: tuple[str, ...], as_json: bool) -> None:
    """Look at Python, its packages, the system's programs, the data folder and the catalog.

    Exit code 0 when all that is needed is there, 1 otherwise. What is only useful, or only for tests, may
    be missing: the table says what works without it. --install tries again to install missing programs, as
    root or where sudo asks for no password. An --extra that was installed stays through later updates.

    \b
    Examples:
      ./tidzam check
      ./tidzam check --install
      ./tidzam check --extra gpu
      ./tidzam check --json
    """
    if extras:
        install_extras(PROJECT_ROOT, extras)
    if install:
        set_up(PROJECT_ROOT, again=True)
    findings = list(look())
    ok = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        print_json({"ok": ok, "findings": [asdict(finding) for finding in findings]})
    else:
        print_table("", ["", "what", "found", "to mend it"], [_row(finding) for finding in findings])
        click.echo("all that is needed is there" if ok else "something that is needed is missing")
    ctx.exit(0 if ok else 1)


def _row(finding: Finding) -> tuple[str, str, str, str]:
    sign = "ok" if finding.ok else "MISSING" if finding.needed else "missing"
    works = f"\nworks without: {finding.without}" if finding.without else ""
    return (sign, finding.name, finding.found or "-", f"{finding.remedy}{works}")
