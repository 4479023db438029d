"""``./tidzam serve``: the model server in the foreground."""

from __future__ import annotations

import logging

import click

from tidzam_platform.cli.output import json_option, print_json, remarks
from tidzam_platform.operations.ports import require_free
from tidzam_platform.settings import Settings, load_settings


@click.command(
    epilog="""\b
Examples:
  ./tidzam serve                              listen where the settings say (gRPC on 127.0.0.1:8500, REST on 8501)
  ./tidzam serve --port 0 --json              take free ports and say which
  ./tidzam serve --no-rest                    gRPC alone
  ./tidzam serve --http                       the HTTP gateway on 127.0.0.1:8502: audio files in, detections out
  ./tidzam serve --host 0.0.0.0               let other machines in: there is no password on this port
"""
)
@click.option("--host", help="Address to listen on (settings: model_server.host).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="gRPC port, 0 for a free one (model_server.port)."
)
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    help="REST port, 0 for a free one (model_server.rest_port; 0 where --port is 0).",
)
@click.option("--rest/--no-rest", "with_rest", default=True, show_default=True, help="Whether to speak REST.")
@click.option(
    "--http",
    "as_gateway",
    is_flag=True,
    help="Run the HTTP gateway instead; --host and --port are then its own.",
)
@json_option
def serve(
    host: str | None,
    port: int | None,
    rest_port: int | None,
    with_rest: bool,
    as_gateway: bool,
    as_json: bool,
) -> None:
    """Serve the generations in service over TensorFlow Serving's gRPC and REST APIs.

    Runs until Ctrl-C or SIGTERM. Which versions answer, and what stable and canary mean, is followed as people and
    the gate change it; a version that is damaged or fails its warm-up never answers, the one before it goes on. With
    --json one line says the addresses and the generation once the first generation answers.
    """
    if as_gateway:
        if rest_port is not None or not with_rest:
            raise click.UsageError(
                "--rest-port and --no-rest are the model server's: leave them out with --http"
            )
        settings = load_settings()
        require_free(
            settings.gateway.host if host is None else host,
            settings.gateway.port if port is None else port,
            "the gateway",
            "--port, or gateway.port",
        )
        from serving.gateway import serve_http

        serve_http(host, port, as_json=as_json, settings=settings)
        return
    from tidzam_platform.home import make_home_folder

    settings = load_settings()
    make_home_folder(settings.home)
    host = settings.model_server.host if host is None else host
    rest_port = _rest_port(settings, port, rest_port) if with_rest else None
    port = settings.model_server.port if port is None else port
    require_free(host, port, "the model server", "--port, or model_server.port")
    if rest_port is not None:
        require_free(host, rest_port, "the model server's REST API", "--rest-port, or model_server.rest_port")
    from serving.repository import ModelRepository
    from serving.server.embedded import EmbeddedServer
    from serving.server.process import run_server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    repository = ModelRepository(settings.models_folder)
    server = EmbeddedServer(
        repository,
        host=host,
        port=port,
        poll_interval_s=settings.model_server.poll_interval_s,
        max_message_mb=settings.model_server.max_message_mb,
        rest_port=rest_port,
        batching=settings.model_server.batching,
    )

    if not repository.versions():  # said at once: TensorFlow takes seconds to be imported
        remarks.print(
            f"no generation is published yet in the data folder {settings.home}: "
            "waiting for the first (./tidzam generation run makes one; --home or TIDZAM_HOME names another folder)"
        )

    def on_listening(address: str) -> None:
        rest = f" (gRPC) and {server.rest_address} (REST)" if server.rest_address else ""
        remarks.print(f"model server listens on {address}{rest}, models from {repository.base_path}")

    def on_ready(address: str, generation: int) -> None:
        if as_json:
            print_json({"address": address, "rest_address": server.rest_address, "generation": generation})
        else:
            click.echo(f"generation {generation} is served at {address}; Ctrl-C stops")

    run_server(server, on_listening=on_listening, on_ready=on_ready)


def _rest_port(settings: Settings, port: int | None, rest_port: int | None) -> int:
    """Who asks for any free port means that of both APIs."""
    if rest_port is not None:
        return rest_port
    return 0 if port == 0 else settings.model_server.rest_port
