"""Which processes shall run: what somebody started and nobody stopped since. It outlives Supervisor and a reboot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tidzam_platform.files import write_whole


class Wanted:
    """Names of processes in the file ``path``. Callers that change it hold the lock of the supervision."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> frozenset[str]:
        """All of them; none where the file is not there or damaged."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return frozenset()
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    def add(self, names: Iterable[str]) -> None:
        """They shall run from now on."""
        self._write(self.names() | set(names))

    def remove(self, names: Iterable[str]) -> None:
        """They shall not run any more."""
        self._write(self.names() - set(names))

    def _write(self, names: frozenset[str]) -> None:
        if names != self.names():
            write_whole(self._path, json.dumps(sorted(names)).encode())
