"""Which slot of the channel rings belongs to which channel."""

from __future__ import annotations

from collections import deque

from tidzam_platform.errors import AudioGraphError


class SlotTable:
    """Gives slots to channels. A slot that was given back is used again as late as possible: readers notice first.

    Not for several threads at once.
    """

    def __init__(self, slots: int) -> None:
        self._free = deque(range(slots))
        self._taken: dict[str, int] = {}

    def take(self, channel: str) -> int:
        """The slot of ``channel``, the one that it has already if it has one.

        Raises:
            AudioGraphError: all are taken.
        """
        if channel in self._taken:
            return self._taken[channel]
        if not self._free:
            raise AudioGraphError(
                f"{channel} is one channel too many: {len(self._taken)} are analysed; raise graph.max_channels"
            )
        slot = self._free.popleft()
        self._taken[channel] = slot
        return slot

    def give_back(self, channel: str) -> None:
        """The channel is gone; its slot may be another's. KeyError if it has none."""
        self._free.append(self._taken.pop(channel))

    def slot_of(self, channel: str) -> int | None:
        """The slot of ``channel``; None if it has none."""
        return self._taken.get(channel)

    @property
    def free(self) -> int:
        """How many more channels can have one."""
        return len(self._free)

    @property
    def taken(self) -> dict[str, int]:
        """Slot of each channel, a copy."""
        return dict(self._taken)
