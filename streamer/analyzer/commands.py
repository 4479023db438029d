"""What other processes may ask the analyzer; docs/analyzer.md lists the commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ConfigDict, validate_call

from streamer.analyzer.core import Analyzer
from streamer.engine.control.server import Handler

_STRICT: Final = ConfigDict(strict=True)


def commands_of(analyzer: Analyzer) -> Mapping[str, Handler]:
    """The handlers of an analyzer, by name of the command."""
    handlers: dict[str, Handler] = {
        "status": analyzer.status,
        "counts": analyzer.counts,
        "classes": analyzer.classes,
    }
    return {name: validate_call(config=_STRICT)(handler) for name, handler in handlers.items()}
