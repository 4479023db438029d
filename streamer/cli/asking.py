"""How commands talk to the engine, and to the analyzer, of the home that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from streamer.engine.control import ANALYZER, AnalyzerClient, EngineClient
from streamer.engine.control.wire import ENGINE, Endpoint
from tidzam_platform.errors import AnalyzerUnavailableError, EngineUnavailableError
from tidzam_platform.operations.supervision.standing import what_comes_of
from tidzam_platform.settings import load_settings

# A source may take half a minute to end (its recorder finishes a file), and may wait as long for its turn.
_PATIENCE_S: Final = 75.0
_ANALYZER_S: Final = 3.0


def ask_engine(do: str, **arguments: Any) -> dict[str, Any]:
    """Send one request to the engine.

    Raises:
        TidzamError: what the engine answered; EngineUnavailableError where none runs.
    """
    home = load_settings().home
    with told_what_comes(home, ENGINE), EngineClient(home) as client:
        return client.request(do, **arguments)


def ask_engine_patiently(do: str, **arguments: Any) -> dict[str, Any]:
    """As ``ask_engine``, for what may take more than a minute: ending a source, or waiting until one begins."""
    home = load_settings().home
    with told_what_comes(home, ENGINE), EngineClient(home, timeout_s=_PATIENCE_S) as client:
        return client.request(do, **arguments)


@contextmanager
def told_what_comes(home: Path, endpoint: Endpoint) -> Iterator[None]:
    """Where nobody answers in the context because Supervisor is at it just now, the error says so.

    Raises:
        EngineUnavailableError, AnalyzerUnavailableError: as the context raises them.
    """
    try:
        yield
    except (EngineUnavailableError, AnalyzerUnavailableError) as error:
        is_slow = isinstance(error.__cause__, TimeoutError)  # it is there
        comes = "" if is_slow else what_comes_of(home, endpoint.name)
        if not comes:
            raise
        raise endpoint.unavailable(f"the {endpoint.name} of {home} does not answer: {comes}") from error


def ask_why_nothing_is_heard() -> str:
    """What the analyzer waits for, as it says itself; empty where it hears.

    Raises:
        AnalyzerUnavailableError: none runs here.
    """
    home = load_settings().home
    with told_what_comes(home, ANALYZER), AnalyzerClient(home, timeout_s=_ANALYZER_S) as client:
        return why_nothing_is_heard(client.request("status"))


def why_nothing_is_heard(status: dict[str, Any]) -> str:
    """What an analyzer waits for, by its own status; empty where it hears, or says nothing of it."""
    engine, model = status.get("hearing", {}).get("engine", ""), status.get("model", {})
    reasons = [f"engine: {engine}"] if engine else []
    if model.get("generation") is None and model.get("problem"):
        reasons.append(str(model["problem"]))
    return "; ".join(reasons)
