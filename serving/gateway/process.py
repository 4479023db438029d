"""The gateway in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging

import click

from serving.gateway.app import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.gateway.http_server import GatewayServer, bodies_kept_in
from tidzam_platform.access import INITIAL_FILE
from tidzam_platform.cli.output import print_json, remarks
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.ports import is_loopback
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import Settings, load_settings

_LOG = logging.getLogger(__name__)


def serve_http(
    host: str | None = None,
    port: int | None = None,
    *,
    as_json: bool = False,
    settings: Settings | None = None,
) -> None:
    """Serve the gateway until SIGTERM or SIGINT; call it in the main thread.

    Args:
        host: address to listen on, gateway.host by default.
        port: 0 for a free one, gateway.port by default.
        as_json: say the address in one line of JSON on standard output once it listens.
        settings: read as always by default.

    Raises:
        ProcessError: the address cannot be listened on.
        SettingsError: the token or the table of species cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = settings or load_settings()
    make_home_folder(settings.home)
    core = GatewayCore(settings)
    how = settings.gateway
    server = GatewayServer(
        create_gateway_app(settings, core=core),
        how,
        host=how.host if host is None else host,
        port=how.port if port is None else port,
    )
    try:
        with bodies_kept_in(str(core.spool)), StopSignals() as stop_signals:
            server.start()
            _say_where(server.address, settings, as_json=as_json)
            _LOG.info("%s: stopping", stop_signals.wait().name)
            if not server.stop():
                _LOG.info("not waiting for what is still heard")
    finally:
        core.close()


def _say_where(address: str, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address})
    else:
        click.echo(f"the gateway answers at http://{address}/api/v1/docs; Ctrl-C stops")
    if not is_loopback(address):
        remarks.print(
            "other machines may be able to reach it: hearing and looking want no password (docs/gateway.md)"
        )
    remarks.print(f"the token for promote and rollback lies in {settings.home / 'secrets' / INITIAL_FILE}")
