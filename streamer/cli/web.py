"""``./tidzam web``: the web process in the foreground."""

from __future__ import annotations

import click

from tidzam_platform.cli.output import json_option
from tidzam_platform.operations.ports import require_free
from tidzam_platform.settings import load_settings


@click.command(
    epilog="""\b
Examples:
  ./tidzam web                                listen where the settings say (127.0.0.1:8080)
  ./tidzam web --port 0 --json                take a free port and say which
  ./tidzam web --host 0.0.0.0                 let other machines in: see docs/web.md first
"""
)
@click.option("--host", help="Address to listen on (settings: web.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, 0 for a free one (settings: web.port).")
@json_option
def web(host: str | None, port: int | None, as_json: bool) -> None:
    """Serve the HTTP API, Socket.IO and the pages to listen and to be heard.

    Runs until Ctrl-C or SIGTERM; ./tidzam start runs it in the background, after the engine. With --json one line says
    the address once it listens.
    """
    settings = load_settings()
    require_free(
        settings.web.host if host is None else host,
        settings.web.port if port is None else port,
        "the web process",
        "--port, or web.port",
    )
    from streamer.web.process import serve_web

    serve_web(host, port, as_json=as_json, settings=settings)
