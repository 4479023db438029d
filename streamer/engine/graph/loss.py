"""How compiled code tells Python that JACK is gone: at once, without waiting for Python's lock."""

from __future__ import annotations

import os

from streamer.engine.graph.blocks import (
    L_EVENT,
    L_LOST,
    L_ONE,
    L_REASON,
    L_REASON_BYTES,
    L_STRNCPY,
    L_WORDS,
    L_WRITE,
    Block,
)
from streamer.engine.rings.native import c_function


class LossEvent:
    """Set by ``Compiled.shutdown_callback``. Close it after the last client that may call that."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_CLOEXEC)
        self._block = Block(L_WORDS)
        words = self._block.words
        words[L_EVENT], words[L_ONE] = self._event, 1
        words[L_WRITE], words[L_STRNCPY] = c_function("write"), c_function("strncpy")

    @property
    def address(self) -> int:
        """What the callback wants; valid while this object lives."""
        return self._block.address

    @property
    def happened(self) -> bool:
        """Whether JACK is gone."""
        return bool(self._block.words[L_LOST])

    def reason(self) -> str:
        """What JACK said of it."""
        text = self._block.words[L_REASON:].tobytes()[:L_REASON_BYTES].split(b"\0")[0]
        return text.decode(errors="replace") or "JACK is gone"

    def wait(self) -> None:
        """Wait until it has happened, or ``wake``."""
        os.eventfd_read(self._event)

    def wake(self) -> None:
        """End a ``wait``, now or later."""
        os.eventfd_write(self._event, 1)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._event)
