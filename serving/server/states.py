"""States of model versions, as TensorFlow Serving names and numbers them in ``ModelVersionStatus``."""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


class State(enum.IntEnum):
    """Where a version is in its life (tensorflow_serving/apis/get_model_status.proto)."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


# A version that failed to load or was retired may be loaded again.
_STEPS: Final[Mapping[State, frozenset[State]]] = {
    State.START: frozenset({State.LOADING}),
    State.LOADING: frozenset({State.AVAILABLE, State.END}),
    State.AVAILABLE: frozenset({State.UNLOADING}),
    State.UNLOADING: frozenset({State.END}),
    State.END: frozenset({State.LOADING}),
}
_MAX_ENDED: Final = 32  # of versions that are no more, the newest stay visible


@dataclass(frozen=True)
class VersionStatus:
    """State of one version; ``error`` says why it failed, empty if it did not."""

    version: int
    state: State
    error: str = ""


class VersionStates:
    """The states of all versions that this server has met; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[int, VersionStatus] = {}

    def step(self, version: int, state: State, error: str = "") -> None:
        """Move ``version`` to ``state``; ValueError if that is no step of its life."""
        with self._lock:
            status = self._statuses.get(version, VersionStatus(version, State.START))
            if state not in _STEPS[status.state]:
                raise ValueError(f"version {version} cannot go from {status.state.name} to {state.name}")
            self._statuses[version] = replace(status, state=state, error=error)
            ended = sorted(number for number, item in self._statuses.items() if item.state is State.END)
            for number in ended[:-_MAX_ENDED]:
                del self._statuses[number]

    def status(self, version: int) -> VersionStatus | None:
        """Status of one version, None if this server never met it."""
        with self._lock:
            return self._statuses.get(version)

    def all(self) -> list[VersionStatus]:
        """Statuses in descending order of version, as TensorFlow Serving lists them."""
        with self._lock:
            return sorted(self._statuses.values(), key=lambda status: -status.version)
