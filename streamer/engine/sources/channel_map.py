"""From the channels that an input has to those that its source has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.engine.sources.drift import Frames
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.audio.blocks import valid_samples
from tidzam_platform.errors import SourceError


class ChannelMap:
    """Which channel of the input is heard at which port: port ``out_<k + 1>`` hears ``chosen[k]``.

    Args:
        specification: says which channels are wanted, and how many the input should have.
        available: how many it has.

    Raises:
        SourceError: a channel is chosen that the input has not.
    """

    def __init__(self, specification: SourceSpecification, available: int) -> None:
        declared = specification.nb_channels or available
        self.chosen: tuple[int, ...] = (
            tuple(range(declared)) if specification.channels is None else specification.channels
        )
        absent = [index for index in self.chosen if index >= declared]
        if absent:
            raise SourceError(
                f"source {specification.name!r}: the input has {available} channels, from 0 to {available - 1}: "
                f"there is no {', '.join(map(str, absent))}; mend `channels`"
            )
        self.missing = sum(index >= available for index in self.chosen)
        """Channels that should be there by ``nb_channels`` and are not: their ports are silent."""
        self._available = available
        self._same = self.chosen == tuple(range(available))

    @property
    def channels(self) -> int:
        """How many the source has."""
        return len(self.chosen)

    def apply(self, block: Frames) -> Frames:
        """The source's frames of the input's: float32 ``[frames, channels]`` in [-1, 1], NaN as 0."""
        valid = valid_samples(block)
        if self._same:
            return valid
        if not self.missing:
            return valid[:, self.chosen]
        mapped = np.zeros((len(block), self.channels), np.float32)
        for channel, index in enumerate(self.chosen):
            if index < self._available:
                mapped[:, channel] = valid[:, index]
        return mapped


def chosen_ports(specification: SourceSpecification, ports: Sequence[str]) -> tuple[str, ...]:
    """Those of ``ports`` that the source takes; SourceError as above."""
    return tuple(ports[index] for index in ChannelMap(specification, len(ports)).chosen if index < len(ports))
