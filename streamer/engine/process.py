"""The engine in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from streamer.engine.commands import commands_of
from streamer.engine.control import ControlServer
from streamer.engine.core import Engine
from streamer.engine.descriptors import raise_descriptor_limit
from tidzam_platform.cli.output import print_json
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import Settings

_LOG = logging.getLogger(__name__)
_PER_SOURCE: Final = 11  # descriptors of a live source
_OTHER_DESCRIPTORS: Final = 512  # JACK, Icecast, encoders, people


@contextmanager
def serving_engine(settings: Settings) -> Iterator[Engine]:
    """An engine that answers at its socket while the context lasts; raises as ``Engine``."""
    with Engine(settings) as engine:
        control = ControlServer(settings.home, commands_of(engine), engine.events, engine.lose_owners)
        control.start()
        try:
            yield engine
        finally:
            control.stop()


def run_engine(settings: Settings, *, as_json: bool = False) -> None:
    """Run it; call this in the main thread.

    Args:
        settings: of everything.
        as_json: say in one line of JSON on standard output that it runs, once it does.

    Raises:
        TidzamError: see ``Engine``.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    make_home_folder(settings.home)
    _require_descriptors(settings)
    with StopSignals() as stop_signals, serving_engine(settings) as engine:
        status = engine.graph.status()
        if as_json:
            print_json(
                {"graph": status["kind"], "sources": len(engine.sources.list()), "icecast": engine.address}
            )
        else:
            click.echo(
                f"the engine runs ({status['kind']}); listen at {engine.address or 'nowhere'}; Ctrl-C stops"
            )
        _LOG.info("%s: stopping", stop_signals.wait().name)


def _require_descriptors(settings: Settings) -> None:
    """As many as can be had, and a warning where the sources that are allowed would need more."""
    most = settings.sources.max_sources
    limit, needed = raise_descriptor_limit(), most * _PER_SOURCE + _OTHER_DESCRIPTORS
    if limit < needed:
        _LOG.warning(
            "this process may have %d files open, and %d sources need %d: raise the hard limit "
            "(ulimit -Hn, LimitNOFILE= of systemd), or lower sources.max_sources",
            *(limit, most, needed),
        )
