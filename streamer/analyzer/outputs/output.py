"""The interface of a plug-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.reach import Reach


class Output(ABC):
    """Tells messages to one place. One thread uses it; ``reach.cancel`` ends its waits from others.

    Attributes:
        reach: what it connects by; it closes it.
        batch: most messages that it is given at a time.
    """

    def __init__(self, reach: Reach, *, batch: int = 1) -> None:
        self.reach = reach
        self.batch = batch

    @abstractmethod
    def deliver(self, messages: Sequence[Message]) -> int:
        """Tell ``messages``, at least one, in their order, within the deadline.

        Returns:
            How many of the first ones have been told for certain, at least one.

        Raises:
            OutputRefusedError: it will never take the first one (of several: one of them).
            OutputFaultError: it answered, and failed at the first one.
            OutputError: it was not reached, or not in time; nothing is known to have been told.
        """

    def idle(self) -> None:  # noqa: B027 - most have nothing to do then
        """Called about every second while there is nothing to tell; OutputError where a connection was lost."""

    def try_out(self, message: Message) -> str:
        """Tell a message of kind ``test`` and say for people what was done; raises as ``deliver``."""
        self.deliver([message])
        return "it took a test message"

    def close(self) -> None:
        """End; may be called again. It takes no longer than a second or two, and none once cancelled."""
        self.reach.close()
