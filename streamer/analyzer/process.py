"""The analyzer in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from streamer.analyzer.commands import commands_of
from streamer.analyzer.core import Analyzer
from streamer.engine.control import ANALYZER, ControlServer
from tidzam_platform.cli.output import print_json
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import Settings

_LOG = logging.getLogger(__name__)


@contextmanager
def serving_analyzer(settings: Settings) -> Iterator[Analyzer]:
    """An analyzer that answers at its socket while the context lasts; raises as ``Analyzer``."""
    with Analyzer(settings) as analyzer:
        control = ControlServer(settings.home, commands_of(analyzer), analyzer.events, endpoint=ANALYZER)
        control.start()
        try:
            yield analyzer
        finally:
            analyzer.begin_to_end()
            control.stop()


def run_analyzer(settings: Settings, *, as_json: bool = False) -> None:
    """Run it; call this in the main thread.

    Args:
        settings: of everything.
        as_json: say in one line of JSON on standard output that it runs, once it does.

    Raises:
        TidzamError: see ``Analyzer``.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    make_home_folder(settings.home)
    with StopSignals() as stop_signals, serving_analyzer(settings) as analyzer:
        if as_json:
            print_json({"since": analyzer.status()["since"]})
        else:
            click.echo("the analyzer runs; ./tidzam events shows what it hears; Ctrl-C stops")
        _LOG.info("%s: stopping", stop_signals.wait().name)
