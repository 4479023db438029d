"""How loud each channel is, and since when it sounds or is silent: looked at a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from streamer.engine.channels import Channel, ChannelTable
from streamer.engine.mixer import WINDOW_S, ChannelMeters, Mixer, measure
from streamer.engine.rings import ENGINE_RATE_HZ, BlockReader, ChannelRings
from tidzam_platform.clock import utc_now

_LOG = logging.getLogger(__name__)
_WINDOW_FRAMES: Final = round(WINDOW_S * ENGINE_RATE_HZ)
_STOP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Sound:
    """What a channel gives.

    Attributes:
        meters: of its last 0.4 s, before the mixer; None before the first.
        sounding: whether there is anything but exact zeros.
        since: UTC since when that is so.
    """

    meters: ChannelMeters | None
    sounding: bool
    since: datetime


class Metering:
    """A thread that measures all recorded channels in one pass, and lets the mixer's rules see them.

    Args:
        table: which channels there are.
        rings: their samples.
        mixer: whose rules look at levels.
        utc: the time of day.
    """

    def __init__(
        self,
        table: ChannelTable,
        rings: ChannelRings,
        mixer: Mixer,
        *,
        utc: Callable[[], datetime] = utc_now,
    ) -> None:
        self._table, self._rings, self._mixer, self._utc = table, rings, mixer, utc
        self._sounds: dict[str, Sound] = {}
        self._channels: list[Channel] = []
        self._reader: BlockReader | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidzam-metering", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def sound_of(self, channel: str) -> Sound | None:
        """What the channel gives; None before it was looked at."""
        return self._sounds.get(channel)

    def _run(self) -> None:
        while not self._stop.wait(WINDOW_S / 2):
            began_s = time.monotonic()
            try:
                self._look()
            except Exception:  # noqa: BLE001 - logged; levels are shown again with the next look
                _LOG.exception("the meters failed")
            took_s = time.monotonic() - began_s
            self._stop.wait(max(0.0, took_s - WINDOW_S / 2))  # on a busy machine half of the time is enough

    def _look(self) -> None:
        channels = [channel for channel in self._table.list() if channel.is_recorded]
        if channels != self._channels or self._reader is None:
            self._follow(channels)
        if not channels or self._reader is None:
            return
        behind = self._reader.available - _WINDOW_FRAMES
        if behind < 0:
            return
        self._reader.next_frame += behind  # meters are of now
        samples = self._reader.read(_WINDOW_FRAMES)
        readings = measure(samples.data, ENGINE_RATE_HZ)
        for index, channel in enumerate(channels):
            if channel.since_frame <= samples.first_frame:  # else the slot was another channel's
                meters = readings.channel(index)
                self._note(channel.name, meters)
                self._mixer.observe(channel.name, meters)

    def _follow(self, channels: list[Channel]) -> None:
        names = {channel.name for channel in channels}
        for gone in [name for name in self._sounds if name not in names]:
            del self._sounds[gone]
            self._mixer.forget(gone)
        self._channels = channels
        self._reader = BlockReader(self._rings, [channel.slot for channel in channels]) if channels else None

    def _note(self, name: str, meters: ChannelMeters) -> None:
        before = self._sounds.get(name)
        sounding = not meters.is_dead
        if before is None or before.sounding != sounding:
            self._sounds[name] = Sound(meters, sounding, self._utc())
        else:
            self._sounds[name] = replace(before, meters=meters)
