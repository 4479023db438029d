"""What versions said of themselves, kept so that an answer can be read although its version may be gone by now."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from serving.signature import ModelDescription

_MOST: Final = 16  # versions; a swap a day, and clients look back a few


class Descriptions:
    """Descriptions by version; safe to use from many threads.

    They hold until the server is lost: another server may come back at its address, of another home, which numbers
    its generations anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._losses = 0
        self._known: OrderedDict[int, ModelDescription] = OrderedDict()

    def get(self, version: int, losses: int) -> ModelDescription | None:
        """The description of a version, None if it is not known; ``losses`` counts how often the server was away."""
        with self._lock:
            self._forget_after(losses)
            if version in self._known:
                self._known.move_to_end(version)
            return self._known.get(version)

    def put(self, version: int, description: ModelDescription, losses: int) -> None:
        """Keep it; ``losses`` as it was before the server was asked."""
        with self._lock:
            self._forget_after(losses)
            if losses == self._losses:
                self._known[version] = description
                self._known.move_to_end(version)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def _forget_after(self, losses: int) -> None:
        if losses > self._losses:
            self._losses = losses
            self._known.clear()
