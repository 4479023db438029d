"""``./tidzam dagster``: the web server and daemon of the data platform."""

from __future__ import annotations

import click

from tidzam_platform.operations.termination import sigterm_like_ctrl_c


@click.command()
@click.option("--host", help="Address to listen on (default: loopback).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web server (default 3000).")
@sigterm_like_ctrl_c()
def dagster(host: str | None, port: int | None) -> None:
    """Start Dagster's web server and daemon: assets, runs, schedules, and what each generation was made of.

    Runs in the foreground until Ctrl-C or SIGTERM.

    \b
    Example:
      ./tidzam dagster --port 3001
    """
    from tidzam_platform.operations.ports import require_free
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    chosen = settings.dagster.model_copy(
        update={key: value for key, value in (("host", host), ("port", port)) if value is not None}
    )
    require_free(chosen.host, chosen.port, "Dagster's web server", "--port, or dagster.port (0 for any)")
    from assets.dagster_processes import dagster_processes, wait_until_ready
    from tidzam_platform.operations.child_process import watch

    with dagster_processes(settings.model_copy(update={"dagster": chosen})) as (address, processes):
        wait_until_ready(address, processes)
        click.echo(f"Dagster answers at {address}")
        watch(processes)
