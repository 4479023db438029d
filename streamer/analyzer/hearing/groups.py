"""All groups of channels of one engine: made, changed and ended as its directory says; the others never wait."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from streamer.analyzer.hearing.following import FoundEngine, Slot
from streamer.analyzer.hearing.group import ChannelGroup
from streamer.analyzer.hearing.runs import Outlets
from streamer.analyzer.hearing.timeline import RinglessTimeline, SourceTimeline, Timeline
from streamer.analyzer.windows import Geometry
from streamer.engine.graph import LIVE_STREAMS
from streamer.engine.rings import SourceRing
from tidzam_platform.channel_patterns import ChannelPatterns
from tidzam_platform.errors import AudioGraphError, EngineUnavailableError

_LOG = logging.getLogger(__name__)
# A source has its ring before its ports; what has none after so long is a port of another program.
_WITHOUT_RING_S: Final = 2.0
_MOST_ROUNDS: Final = 10  # of one look: the directory changes a few times a second at most


class GroupTable:
    """Follows all channels of an engine that patterns describe. For one thread.

    Args:
        engine: where they are.
        patterns: which of them are meant.
        geometry: how windows are cut.
        outlets: where they go.
        utc_ns: the wall clock, for channels without a ring, ns since 1970.
        monotonic: seconds.
    """

    def __init__(
        self,
        engine: FoundEngine,
        patterns: ChannelPatterns,
        geometry: Geometry,
        outlets: Outlets,
        *,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._patterns, self._geometry, self._outlets = engine, patterns, geometry, outlets
        self._utc_ns, self._monotonic = utc_ns, monotonic
        self._version = -1
        self._look_again_s: float | None = None
        self._had_ring: set[tuple[str, int, int, int]] = set()  # slots, whose source had a ring once
        self._unheard_since_s: dict[Slot, float] = {}  # those without a ring, as long as one may come
        self._groups: dict[ChannelGroup, set[Slot]] = {}
        written = engine.rings.written_frames
        self._first_frame = 0 if engine.is_new else written
        self._verified = written  # before this frame of the rings all slots were what the directory says

    def look(self) -> None:
        """Hear what has come.

        Raises:
            EngineUnavailableError: the engine died while it wrote.
        """
        for _ in range(_MOST_ROUNDS):
            written = self._engine.rings.written_frames
            if not self._is_up_to_date() or self._must_look_again():
                self._follow()
                continue
            self._verified = written
            due = [group for group in self._groups if group.due_frame <= written]
            if all(group.advance(written, written, self._is_up_to_date) for group in due):
                return

    def cut_by(self, geometry: Geometry) -> None:
        """Windows are cut by another geometry from now on."""
        self._geometry = geometry
        for group in self._groups:
            group.cut_by(geometry)

    def close(self) -> None:
        """End all runs."""
        groups, self._groups = self._groups, {}
        with contextlib.ExitStack() as ending:  # each of them, also if one of them fails
            for group in groups:
                ending.callback(group.finish, self._verified)

    def _is_up_to_date(self) -> bool:
        return self._engine.directory.version == self._version

    def _must_look_again(self) -> bool:
        return self._look_again_s is not None and self._monotonic() >= self._look_again_s

    def _follow(self) -> None:
        """Do as the directory says."""
        # The version first: if the document changes meanwhile, it is read once more.
        self._version, slots = self._engine.directory.version, set(self._engine.slots(self._patterns))
        wanted = self._with_ring_or_alone(slots)
        for group, members in list(self._groups.items()):
            left = members & wanted
            if not left:
                del self._groups[group]
                group.finish(self._verified)
            elif left != members:
                group.keep_only({slot.number for slot in left}, self._verified)
                self._groups[group] = left
        followed = {slot for members in self._groups.values() for slot in members}
        for members in _together(wanted - followed):
            self._add(members)

    def _with_ring_or_alone(self, slots: set[Slot]) -> set[Slot]:
        """Those whose samples have a ring, or will have none."""
        now_s = self._monotonic()
        without = {slot for slot in slots if slot.ring_file is None and slot.source != LIVE_STREAMS}
        # One that had a ring gets another one, or goes.
        self._had_ring = {slot[:-1] for slot in slots if slot.ring_file or slot[:-1] in self._had_ring}
        waiting = {slot for slot in without if slot[:-1] not in self._had_ring}
        self._unheard_since_s = {slot: self._unheard_since_s.get(slot, now_s) for slot in waiting}
        alone = {
            slot for slot, since_s in self._unheard_since_s.items() if now_s - since_s >= _WITHOUT_RING_S
        }
        ends_s = [self._unheard_since_s[slot] + _WITHOUT_RING_S for slot in waiting - alone]
        self._look_again_s = min(ends_s, default=None)
        return slots - (without - alone)

    def _add(self, members: set[Slot]) -> None:
        any_slot = next(iter(members))
        # All are heard from when the last one of them was there: they come together.
        first_frame = max(self._heard_from(slot) for slot in members)
        rings, ring = self._engine.rings, None
        if any_slot.ring_file is None:
            timeline: Timeline = RinglessTimeline(rings, first_frame, self._utc_ns)
        else:
            try:
                ring = SourceRing.open(self._engine.folder / any_slot.ring_file)
            except (EngineUnavailableError, AudioGraphError) as error:
                _LOG.info("%s is not heard, its ring has gone again: %s", any_slot.source, error)
                return
            timeline = SourceTimeline(rings, ring)
        group = ChannelGroup(
            any_slot.source,
            {slot.number: slot.slot for slot in members},
            rings,
            ring,
            timeline,
            first_frame,
            self._geometry,
            self._outlets,
        )
        self._groups[group] = members

    def _heard_from(self, slot: Slot) -> int:
        rings = self._engine.rings
        return max(slot.since_frame, self._first_frame, rings.written_frames - rings.capacity_frames)


def _together(slots: set[Slot]) -> list[set[Slot]]:
    """Those that one reader can follow: of one source with its ring, and each that has none for itself."""
    found: dict[tuple[object, ...], set[Slot]] = defaultdict(set)
    for slot in slots:
        alone = slot.number if slot.ring_file is None else 0
        found[slot.source, slot.ring_file, alone].add(slot)
    return list(found.values())
