"""``./tidzam dagster``: the web server and daemon of the data platform."""

from __future__ import annotations

import time

import click

from tidzam_platform.cli.output import remarks


@click.command()
@click.option("--host", help="Address to listen on (default: loopback).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web server (default 3000).")
def dagster(host: str | None, port: int | None) -> None:
    """Start Dagster's web server and daemon: assets, runs, schedules, and what each generation was made of.

    Runs in the foreground until Ctrl-C.

    \b
    Example:
      ./tidzam dagster --port 3001
    """
    from assets.dagster_processes import START_TIMEOUT_S, answers, dagster_processes
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    chosen = settings.dagster.model_copy(
        update={key: value for key, value in (("host", host), ("port", port)) if value is not None}
    )
    with dagster_processes(settings.model_copy(update={"dagster": chosen})) as (address, processes):
        processes[0].wait_until(lambda: answers(address), START_TIMEOUT_S)
        click.echo(f"Dagster answers at {address}")
        while all(process.is_running() for process in processes):
            time.sleep(1)
        remarks.print("[red]a Dagster process ended; see the logs folder of the home")
