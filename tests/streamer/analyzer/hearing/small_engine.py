"""An engine of a test's own: its rings and directory, its compiled callbacks, and cycles that come when it says so.

Every sample tells which one it is, so that a window shows where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.windows import Moment, Run, WindowKey
from streamer.engine.graph import LIVE_STREAMS
from streamer.engine.graph.blocks import R_HANDLES
from streamer.engine.rings import ENGINE_RATE_HZ, ChannelRings, Directory, RingFolder, SlotTable, SourceRing
from tests.streamer.rings.played import Player, Recorder
from tidzam_platform.names import channel

Frames = NDArray[np.float32]
RING_S = 0.5
_PLACES = 64  # sources and channels that samples are told apart by
_SCALE = 2.0**24  # below it float32 holds every integer
NS_PER_S = 1_000_000_000
_DAYS = count()  # no two engines hear at the same time


def numbered(serial: int, first: int, frames: int, channels: int) -> Frames:
    """Samples ``[frames, channels]`` in (0, 1) of which no two are alike within 250,000 frames."""
    place = serial * 8 % _PLACES + np.arange(channels)
    return ((np.arange(first, first + frames)[:, None] * _PLACES + place + 1) % _SCALE / _SCALE).astype(
        np.float32
    )


@dataclass
class SmallSource:
    """A source, and all that is known of it."""

    name: str
    serial: int
    ring: SourceRing
    player: Player
    slots: dict[int, int]  # by number
    anchors: dict[int, int] = field(default_factory=dict)  # UTC in ns by frame
    recorded: list[tuple[int, int]] = field(default_factory=list)  # source frames that came to the rings
    jumps: list[tuple[int, int]] = field(default_factory=list)  # source frames that were jumped over
    removed: bool = False
    seen_frame: int = 0  # source frames that were in the rings when the hearer looked last

    @property
    def channels(self) -> int:
        return self.ring.channels


class SmallEngine:
    """See the module. A context."""

    def __init__(self, home: Path, *, slots: int = 12, seconds: float = RING_S) -> None:
        self.folder = RingFolder(home)
        self.rings = ChannelRings.create(self.folder, slots, seconds)
        self.directory = Directory.create(self.folder)
        self.sources: dict[str, SmallSource] = {}
        self.gone: list[SmallSource] = []
        self._table = SlotTable(slots)
        self._since: dict[str, int] = {}
        self._recorder = Recorder(self.rings, slots)
        self._bound = self._recorder._block.words[R_HANDLES : R_HANDLES + slots]
        self._addresses = self._bound.copy()
        self._bound[:] = 0
        self._live: dict[int, int] = {}  # level in 1/1000 by number
        self._serials = 0
        self._now = 5000
        self._utc_ns = (1_775_000_000 + 86_400 * next(_DAYS)) * NS_PER_S
        self.publish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for name in list(self.sources):
            self.remove(name)
        self.rings.close()
        self.directory.close()
        self.folder.close()

    def publish(self) -> None:
        self.directory.write(
            {
                "channel_rings": self.rings.path.name,
                "sources": {
                    name: {"file": source.ring.path.name, "channels": source.channels}
                    for name, source in self.sources.items()
                },
                "slots": [
                    {"slot": slot, "channel": name, "since_frame": self._since[name]}
                    for name, slot in self._table.taken.items()
                ],
            }
        )

    def add(self, name: str, channels: int = 1, *, heard: bool = True, anchored: bool = True) -> SmallSource:
        """A source with its ring, playing; its channels are in slots if ``heard``."""
        ring = SourceRing.create(self.folder, name, channels, seconds=RING_S)
        ring.playing = True
        self._serials += 1
        source = SmallSource(name, self._serials, ring, Player(ring), {})
        self.sources[name] = source
        if heard:
            source.slots = self._bind_all(source)
        if anchored:
            self.anchor(name)
        self.publish()
        return source

    def hear(self, name: str) -> None:
        """Give slots to a source that plays already."""
        source = self.sources[name]
        source.slots = self._bind_all(source)
        self.publish()

    def leave(self, name: str, number: int) -> None:
        """Take the slot of one channel away."""
        self._table.give_back(channel(name, number))
        self.publish()
        self._bound[self.sources[name].slots.pop(number)] = 0

    def remove(self, name: str) -> SmallSource:
        """Take a source away; it is told before its slots are not written any more."""
        source = self.sources.pop(name)
        for number in source.slots:
            self._table.give_back(channel(name, number))
        self.publish()
        self._bound[list(source.slots.values())] = 0
        source.removed = True
        source.ring.close()
        self.gone.append(source)
        return source

    def add_live(self, number: int) -> None:
        """A live stream: it has no ring that others know, and sounds like its number."""
        self._live[self._bind(channel(LIVE_STREAMS, number))] = number
        self.publish()

    def remove_live(self, number: int) -> None:
        """A live stream goes."""
        name = channel(LIVE_STREAMS, number)
        slot = self._table.slot_of(name)
        assert slot is not None
        self._table.give_back(name)
        self.publish()
        self._bound[slot] = 0
        del self._live[slot]

    def anchor(self, name: str) -> int:
        """What is written next is of another time; returns it, UTC in ns."""
        source = self.sources[name]
        self._utc_ns += 3600 * NS_PER_S
        source.ring.set_anchor(self._utc_ns)
        source.anchors[source.ring.written_frames] = self._utc_ns
        return self._utc_ns

    def write(self, name: str, frames: int) -> int:
        """Give a source samples; returns how many had room."""
        source = self.sources[name]
        return source.ring.write(numbered(source.serial, source.ring.written_frames, frames, source.channels))

    def seek(self, name: str) -> None:
        """What is written and not played will not be played; then another anchor."""
        source = self.sources[name]
        source.jumps.append((source.ring.played_frames, source.ring.written_frames))
        source.ring.flush()
        self.anchor(name)

    def cycle(self, frames: int, *, recorded: bool = True) -> None:
        """A cycle of the graph; one that is not recorded is missed by who records, and by nobody else."""
        data = np.zeros((self.rings.slots, frames), np.float32)
        for source in self.sources.values():
            before = source.ring.played_frames
            sound = source.player.cycle(frames, self._now)
            heard = source.ring.played_frames
            skipped = [end for begin, end in source.jumps if begin <= before < end]
            if skipped:
                before = skipped[-1]
            for number, slot in source.slots.items():
                data[slot] = sound[number - 1]
            if source.slots and recorded and heard > before:
                source.recorded.append((before, heard))
        for slot, number in self._live.items():
            data[slot] = number / 1000
        if recorded:
            self._recorder.cycle(data, self._now)
        self._now += frames

    def play(self, name: str, frames: int, period: int = 1000) -> None:
        """Write and play so many frames of a source."""
        while frames:
            count = min(frames, period)
            assert self.write(name, count) == count
            self.cycle(count)
            frames -= count

    def note_look(self) -> None:
        """The hearer has looked."""
        for source in self.sources.values():
            source.seen_frame = source.recorded[-1][1] if source.recorded else 0

    def _bind_all(self, source: SmallSource) -> dict[int, int]:
        numbers = range(1, source.channels + 1)
        return {number: self._bind(channel(source.name, number)) for number in numbers}

    def _bind(self, name: str) -> int:
        slot = self._table.take(name)
        self._bound[slot] = self._addresses[slot]
        self._since[name] = self.rings.claimed_frames
        return slot


class Listener:
    """What a hearer hands on."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.windows: dict[WindowKey, Frames] = {}
        self.ended: list[tuple[Run, tuple[int, ...]]] = []
        self._places: set[tuple[Run, int, int]] = set()

    def on_moment(self, moment: Moment) -> None:
        assert moment.audio.dtype == np.float32
        assert len(moment.keys) == len(moment.audio) <= 64
        assert len({key.run.geometry for key in moment.keys}) == 1
        self.moments.append(moment)
        for key, row in zip(moment.keys, moment.audio, strict=True):
            place = (key.run, key.number, key.start_frame)
            assert place not in self._places, "no window comes twice"
            self._places.add(place)
            assert (key.run, key.number) not in [(run, n) for run, numbers in self.ended for n in numbers]
            self.windows[key] = row

    def on_run_end(self, run: Run, numbers: tuple[int, ...]) -> None:
        self.ended.append((run, numbers))

    def of(self, channel_name: str) -> list[tuple[Run, int, Frames]]:
        """The windows of a channel, in the order in which they came."""
        return [
            (key.run, key.start_frame, row)
            for key, row in self.windows.items()
            if key.channel == channel_name
        ]


def whole_windows(source: SmallSource, window: int, hop: int, until: int) -> dict[tuple[int, int], int]:
    """Which windows must be heard of a source that is heard from its beginning on.

    Args:
        source: which.
        window: frames of a window, at 48 kHz.
        hop: frames of the hop.
        until: source frames that the hearer has seen.

    Returns:
        For each window (UTC of its run in ns, start frame) how many frames it has: fewer than ``window`` if its run is
        shorter.
    """
    heard = np.zeros(until, bool)
    for begin, end in source.recorded:
        heard[begin:end] = True
    found = {}
    frames = sorted(source.anchors)
    for at, end in zip(frames, [*frames[1:], None], strict=True):
        is_ended = end is not None
        stop = min(until, until if end is None else end)
        for start in range(0, max(stop - at - window, -1) + 1, hop):
            if heard[at + start : at + start + window].all():
                found[source.anchors[at], start] = window
        if is_ended and end is not None and 0 < end - at < window and end < until and heard[at:end].all():
            found[source.anchors[at], 0] = end - at
    return found


def expected_row(source: SmallSource, key: WindowKey, frames: int) -> Frames:
    """The samples of a window, by its key; zeros after ``frames``."""
    at = {utc_ns: frame for frame, utc_ns in source.anchors.items()}[key.run.anchor_utc_ns]
    row = np.zeros(key.run.geometry.window_frames, np.float32)
    row[:frames] = numbered(source.serial, at + key.start_frame, frames, source.channels)[:, key.number - 1]
    return row


def at_engine_rate(seconds: float) -> int:
    return round(seconds * ENGINE_RATE_HZ)
