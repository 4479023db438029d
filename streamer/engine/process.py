"""The engine in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from streamer.engine.commands import commands_of
from streamer.engine.control import ControlServer
from streamer.engine.core import Engine
from tidzam_platform.cli.output import print_json
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import Settings

_LOG = logging.getLogger(__name__)
_MAX_DESCRIPTORS: Final = 16_384


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
    _raise_descriptor_limit()
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


def _raise_descriptor_limit() -> None:
    """A live source takes eleven descriptors; the usual limit of 1024 would end at ninety of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
