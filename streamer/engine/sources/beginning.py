"""What a status says of how a source began; for who asked for it, in any process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamer.engine.control.wire import ENGINE, error_of
from streamer.engine.sources.states import SourceState
from tidzam_platform.errors import TidzamError

_NOT_YET: Final = frozenset(
    {
        SourceState.IDLE,
        SourceState.WAITING,
        SourceState.STARTING,
        SourceState.BACKING_OFF,
        SourceState.FAILED,
    }
)


def failure_to_begin(status: Mapping[str, Any]) -> TidzamError | None:
    """Why a source does not play.

    Args:
        status: of ``sources.wait``.

    Returns:
        Its failure, of the class that it had in the engine; None if it plays, has ended, or has not been tried yet.
    """
    if SourceState(status["state"]) not in _NOT_YET or not status["last_failure"]:
        return None
    said = f"source {status['name']!r}: {status['last_failure']}"
    if status["state"] != SourceState.FAILED:
        said += "; it is tried again"
    return error_of({"error": said, "code": status["last_failure_code"]}, ENGINE)


def is_for_good(status: Mapping[str, Any]) -> bool:
    """Whether a failure is one that no waiting mends: it was given up, or something must be changed first."""
    return status["state"] == SourceState.FAILED or bool(status["hopeless"])
