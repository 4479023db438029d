"""The processes of Tidzam on one machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from tidzam_platform.operations.supervision.probes import (
    ControlSocketProbe,
    GrpcHealthProbe,
    HttpProbe,
    Probe,
)
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable
from tidzam_platform.settings import Settings

# -P: a file in the folder where they run that is called like one of our modules must not be taken for it.
_TIDZAM: Final = (sys.executable, "-P", "-m", "tidzam_platform.cli")
_COMMANDS: Final = {
    "model-server": "serve",
    "engine": "engine",
    "analyzer": "analyzer",
    "web": "web",
    "dagster": "dagster",
}
_NEEDS: Final = {"analyzer": ("model-server", "engine"), "web": ("model-server", "engine")}
# The settings that each reads when it starts.
_READS: Final[Mapping[str, tuple[str, ...]]] = {
    "model-server": ("model_server",),
    "engine": ("database_url", "archive", "graph", "sources", "recording", "mixer", "icecast"),
    "analyzer": ("database_url", "analyzer", "clips", "outputs", "model_server", "decision"),
    "web": ("database_url", "web", "gateway", "model_server", "decision", "icecast"),
    "dagster": ("database_url", "archive", "dagster"),
}
_LISTENING: Final = {"model-server": "model_server", "web": "web", "dagster": "dagster"}


def process_table(settings: Settings) -> ProcessTable:
    """The processes that ``supervision.processes`` names."""
    supervision = settings.supervision
    return ProcessTable(
        ProcessDefinition(
            name,
            (*_TIDZAM, _COMMANDS[name]),
            _probe(name, settings),
            needs=_NEEDS.get(name, ()),
            settings=_values(settings, ("home", *_READS[name])),
            ready_s=supervision.ready_s,
            stop_s=supervision.stop_s,
        )
        for name in dict.fromkeys(supervision.processes)
    )


def has_relative_paths(settings: Settings) -> bool:
    """Whether a setting is a path that depends on the folder where the command was given."""
    return _any_relative(settings.model_dump())


def _probe(name: str, settings: Settings) -> Probe:
    if name in ("engine", "analyzer"):
        return ControlSocketProbe(settings.run_folder / f"{name}.sock")
    section = getattr(settings, _LISTENING[name])
    host, port = section.host, section.port
    if name == "model-server":
        return GrpcHealthProbe(host, port, settings.models_folder / "tidzam")
    return HttpProbe(host, port, "/readyz" if name == "web" else "/server_info")


def _values(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    """Those settings as JSON; relative paths resolved, as they mean another file elsewhere."""
    values = {name: _resolved(getattr(settings, name)) for name in names}
    known: dict[str, Any] = json.loads(json.dumps(values))
    return known


def _resolved(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _resolved(value.model_dump())
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _resolved(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(one) for one in value]
    return value


def _any_relative(value: Any) -> bool:
    if isinstance(value, Path):
        return not value.is_absolute()
    if isinstance(value, Mapping):
        return any(map(_any_relative, value.values()))
    return isinstance(value, list | tuple) and any(map(_any_relative, value))
