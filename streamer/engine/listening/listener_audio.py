"""What a listener of a channel is given: the channel's samples, or silence at the same pace where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings import ChannelReader, ChannelRings

# JACK's largest cycle is 0.17 s, and a busy machine adds to it. After that the time is filled, so that Icecast and
# its listeners stay while a source or JACK is being restarted.
PATIENCE_S: Final = 0.5
MAX_TAKE_S: Final = 2.0


class ListenerAudio:
    """Reads one channel wherever it is. For one thread.

    Args:
        rings: of all channels.
        slot_of: the slot that the channel has now, None while it has none.
        now_s: of ``time.monotonic``.
    """

    def __init__(self, rings: ChannelRings, slot_of: Callable[[], int | None], now_s: float) -> None:
        self._rings, self._slot_of = rings, slot_of
        self._slot: int | None = None
        self._reader: ChannelReader | None = None
        self._filled_s = now_s  # up to when the listener has samples
        self._is_filling = False
        self.lost_frames = 0
        self.silent_frames = 0
        self._find()

    def take(self, now_s: float) -> NDArray[np.float32]:
        """What has come since the last call, or the silence that stands for it; float32 [frames], 2 s at most."""
        self._find()
        rate_hz = self._rings.rate_hz
        if self._reader is not None:
            samples = self._reader.read(round(MAX_TAKE_S * rate_hz))
            self.lost_frames += samples.lost_frames
            if len(samples.data):
                self._filled_s, self._is_filling = now_s, False
                return samples.data
        behind_s = now_s - self._filled_s
        if behind_s < PATIENCE_S and not self._is_filling:
            return np.zeros(0, np.float32)
        frames = round(min(behind_s, MAX_TAKE_S) * rate_hz)
        self._filled_s, self._is_filling = now_s, True
        self.silent_frames += frames
        return np.zeros(frames, np.float32)

    def _find(self) -> None:
        """The channel may be in another slot by now, or in none."""
        slot = self._slot_of()
        if slot != self._slot:
            self._slot = slot
            self._reader = None if slot is None else ChannelReader(self._rings, slot)
