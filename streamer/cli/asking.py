"""How commands talk to the engine of the home that the settings name."""

from __future__ import annotations

from typing import Any

from streamer.engine.control import EngineClient
from tidzam_platform.settings import load_settings


def ask_engine(do: str, **arguments: Any) -> dict[str, Any]:
    """Send one request to the engine.

    Raises:
        TidzamError: what the engine answered; EngineUnavailableError where none runs.
    """
    with EngineClient(load_settings().home) as client:
        return client.request(do, **arguments)
