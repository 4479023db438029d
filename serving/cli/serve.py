"""``./tidzam serve``: the model server in the foreground."""

from __future__ import annotations

import logging

import click

from tidzam_platform.cli.output import json_option, print_json, remarks
from tidzam_platform.settings import load_settings


@click.command(
    epilog="""\b
Examples:
  ./tidzam serve                              listen where the settings say (127.0.0.1:8500)
  ./tidzam serve --port 0 --json              take a free port and say which
  ./tidzam serve --host 0.0.0.0               let other machines in: there is no password on this port
"""
)
@click.option("--host", help="Address to listen on (settings: model_server.host).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="gRPC port, 0 for a free one (model_server.port)."
)
@json_option
def serve(host: str | None, port: int | None, as_json: bool) -> None:
    """Serve the newest generation over TensorFlow Serving's gRPC API.

    Runs until Ctrl-C or SIGTERM. New generations are picked up as they are published; one that is damaged or
    fails its warm-up never answers, the one before it goes on. With --json one line says address and
    generation once the first generation answers.
    """
    from serving.repository import ModelRepository
    from serving.server.embedded import EmbeddedServer
    from serving.server.process import run_server
    from tidzam_platform.home import make_home_folder

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load_settings()
    make_home_folder(settings.home)
    repository = ModelRepository(settings.models_folder)
    server = EmbeddedServer(
        repository,
        host=settings.model_server.host if host is None else host,
        port=settings.model_server.port if port is None else port,
        poll_interval_s=settings.model_server.poll_interval_s,
        max_message_mb=settings.model_server.max_message_mb,
    )

    if repository.latest() is None:  # said at once: TensorFlow takes seconds to be imported
        remarks.print(
            f"no generation is published yet in the data folder {settings.home}: "
            "waiting for the first (./tidzam generation run makes one; --home or TIDZAM_HOME names another folder)"
        )

    def on_listening(address: str) -> None:
        remarks.print(f"model server listens on {address}, models from {repository.base_path}")

    def on_ready(address: str, generation: int) -> None:
        if as_json:
            print_json({"address": address, "generation": generation})
        else:
            click.echo(f"generation {generation} is served at {address}; Ctrl-C stops")

    run_server(server, on_listening=on_listening, on_ready=on_ready)
