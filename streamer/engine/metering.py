"""How loud each channel is, and since when it sounds or is silent: looked at a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from streamer.engine.channels import Channel, ChannelTable
from streamer.engine.mixer import WINDOW_S, ChannelMeters, Mixer, measure
from streamer.engine.rings import ENGINE_RATE_HZ, BlockReader, ChannelRings
from tidzam_platform.clock import utc_now

_LOG = logging.getLogger(__name__)
_WINDOW_FRAMES: Final = round(WINDOW_S * ENGINE_RATE_HZ)
_STANDS_STILL_S: Final = 2.0  # without a new window: many cycles, and longer than a busy machine is late
_TRY_AGAIN_S: Final = 5.0  # channels that could not be recorded
_STOP_S: Final = 5.0
_MOST_HEARD: Final = 2000  # channels; there are fewer


@dataclass(frozen=True, slots=True)
class Sound:
    """What a channel gives.

    Attributes:
        meters: of its last 0.4 s, before the mixer; None while nothing comes.
        sounding: whether there is anything but exact zeros.
        since: UTC since when that is so.
        lost_because: why nothing comes from the audio graph; empty while something does.
    """

    meters: ChannelMeters | None
    sounding: bool
    since: datetime
    lost_because: str = ""


class Metering:
    """A thread that measures all recorded channels in one pass, and lets the mixer's rules see them.

    Args:
        table: which channels there are; those that could not be recorded are tried again every few seconds.
        rings: their samples.
        mixer: whose rules look at levels.
        why_lost: why the audio graph gives nothing, as far as it knows; asked only when nothing has come for 2 s.
        utc: the time of day.
        monotonic: seconds, for all that lasts.
    """

    def __init__(
        self,
        table: ChannelTable,
        rings: ChannelRings,
        mixer: Mixer,
        *,
        why_lost: Callable[[], str] = lambda: "",
        utc: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table, self._rings, self._mixer = table, rings, mixer
        self._why_lost, self._utc, self._monotonic = why_lost, utc, monotonic
        self._window_frame = rings.written_frames  # where the newest whole window ended
        self._window_s, self._window_utc = monotonic(), utc()  # when that was
        self._try_again_s = self._window_s + _TRY_AGAIN_S
        self._sounds: dict[str, Sound] = {}
        self._heard: dict[str, Mapping[str, float]] = {}  # since the last look; by channel
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

    def note_heard(self, scores: Mapping[str, Mapping[str, float]]) -> None:
        """What the analyzer heard just now: by channel, scores by class path; for the mixer's rules."""
        self._heard = {**self._heard, **scores} if len(self._heard) < _MOST_HEARD else dict(scores)

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
        now_s = self._monotonic()
        if now_s >= self._try_again_s:
            self._try_again_s = now_s + _TRY_AGAIN_S
            self._table.try_again()
        # Not what a reader gave: with each change of the channels it begins anew.
        if self._rings.written_frames - self._window_frame >= _WINDOW_FRAMES:
            self._window_frame = self._rings.written_frames
            self._window_s, self._window_utc = now_s, self._utc()
        channels = [channel for channel in self._table.list() if channel.is_recorded]
        if channels != self._channels or self._reader is None:
            self._follow(channels)
        if not channels or self._reader is None:
            return
        if now_s - self._window_s >= _STANDS_STILL_S:
            self._note_loss(channels)
            return
        behind = self._reader.available - _WINDOW_FRAMES
        if behind < 0:
            return
        self._reader.next_frame += behind  # meters are of now
        samples = self._reader.read(_WINDOW_FRAMES)
        readings = measure(samples.data, ENGINE_RATE_HZ)
        heard, self._heard = self._heard, {}
        for index, channel in enumerate(channels):
            if channel.since_frame <= samples.first_frame:  # else the slot was another channel's
                meters = readings.channel(index)
                self._note(channel.name, meters)
                self._mixer.observe(channel.name, meters, heard.get(channel.name))

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
            self._sounds[name] = replace(before, meters=meters, lost_because="")

    def _note_loss(self, channels: list[Channel]) -> None:
        """Nothing comes: what sounded does not any more, since the last window."""
        why = self._why_lost() or f"the audio graph has given nothing for {_STANDS_STILL_S:.0f} s or longer"
        for channel in channels:
            before = self._sounds.get(channel.name)
            if before is None:
                self._sounds[channel.name] = Sound(None, sounding=False, since=self._utc(), lost_because=why)
            else:
                since = max(before.since, self._window_utc) if before.sounding else before.since
                self._sounds[channel.name] = Sound(None, sounding=False, since=since, lost_because=why)
