"""The web process in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging

import click

from serving.gateway.http_server import bodies_kept_in
from streamer.web.app import WebApp
from streamer.web.core import WebCore
from streamer.web.server import WebServer
from tidzam_platform.access import INITIAL_FILE
from tidzam_platform.cli.output import print_json, remarks
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.ports import is_loopback
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import Settings, load_settings

_LOG = logging.getLogger(__name__)


def serve_web(
    host: str | None = None,
    port: int | None = None,
    *,
    as_json: bool = False,
    settings: Settings | None = None,
) -> None:
    """Serve the API and the pages until SIGTERM or SIGINT; call it in the main thread.

    Args:
        host: address to listen on, web.host by default.
        port: 0 for a free one, web.port by default.
        as_json: say the address in one line of JSON on standard output once it listens.
        settings: read as always by default.

    Raises:
        ProcessError: the address cannot be listened on.
        SettingsError: the tokens, or the folder of uploads, cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("waitress").setLevel(logging.WARNING)  # it tells of each client that leaves
    settings = settings or load_settings()
    make_home_folder(settings.home)
    core = WebCore(settings)
    app = WebApp(core, lambda: server.websockets)
    how = settings.web
    server = WebServer(
        app.wsgi,
        core.settings,
        host=how.host if host is None else host,
        port=how.port if port is None else port,
    )
    try:
        with bodies_kept_in(str(core.gateway.spool)), StopSignals() as stop_signals:
            app.start()
            server.start()
            _say_where(server.address, settings, as_json=as_json)
            _LOG.info("%s: stopping", stop_signals.wait().name)
            app.close()
            if not server.stop():
                _LOG.info("not waiting for what is still under way")
    finally:
        core.close()


def _say_where(address: str, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address})
    else:
        click.echo(
            f"listen at http://{address}/listen, programs at http://{address}/api/v1/docs; Ctrl-C stops"
        )
    if not is_loopback(address) and settings.web.anonymous_may_listen:
        remarks.print(
            "other machines may be able to reach it: looking and listening want no token (docs/web.md)"
        )
    remarks.print(f"a token of role own lies in {settings.home / 'secrets' / INITIAL_FILE} (docs/tokens.md)")
