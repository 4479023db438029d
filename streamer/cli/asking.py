"""How commands talk to the engine of the home that the settings name."""

from __future__ import annotations

from typing import Any, Final

from streamer.engine.control import EngineClient
from tidzam_platform.settings import load_settings

# A source may take half a minute to end (its recorder finishes a file), and may wait as long for its turn.
_PATIENCE_S: Final = 75.0


def ask_engine(do: str, **arguments: Any) -> dict[str, Any]:
    """Send one request to the engine.

    Raises:
        TidzamError: what the engine answered; EngineUnavailableError where none runs.
    """
    with EngineClient(load_settings().home) as client:
        return client.request(do, **arguments)


def ask_engine_patiently(do: str, **arguments: Any) -> dict[str, Any]:
    """As ``ask_engine``, for what may take more than a minute: ending a source, or waiting until one begins."""
    with EngineClient(load_settings().home, timeout_s=_PATIENCE_S) as client:
        return client.request(do, **arguments)
