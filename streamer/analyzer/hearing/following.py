"""The engine of a home: its rings, and which channels are in which slots of them, as long as it lives."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from streamer.engine.rings import ChannelRings, Directory
from streamer.engine.sources.backoff import Backoff
from tidzam_platform.channel_patterns import ChannelPatterns
from tidzam_platform.errors import AudioGraphError, EngineUnavailableError
from tidzam_platform.names import split_channel

_MOST_WAIT_S: Final = 1.0  # between two looks for an engine
_STANDSTILL_S: Final = 1.0  # without new frames: then it is looked whether the engine lives


class Slot(NamedTuple):
    """A channel that is in the rings.

    Attributes:
        source: its source.
        number: from 1.
        slot: of the rings.
        since_frame: of the rings, from which on the slot is its.
        ring_file: name of the source's ring; None if there is none.
    """

    source: str
    number: int
    slot: int
    since_frame: int
    ring_file: str | None


class FoundEngine(NamedTuple):
    """An engine that runs, or ran just now.

    Attributes:
        directory: says which channels there are.
        rings: their samples.
        is_new: it began while it was waited for: nothing of it has been heard yet.
    """

    directory: Directory
    rings: ChannelRings
    is_new: bool

    @property
    def folder(self) -> Path:
        """Where the rings of the sources are."""
        return self.directory.path.parent

    def slots(self, patterns: ChannelPatterns) -> list[Slot]:
        """The channels that are meant.

        Raises:
            EngineUnavailableError: the engine died while it wrote.
        """
        document = self.directory.read()
        sources = document.get("sources", {})
        found = []
        for entry in document.get("slots", []):
            if patterns.match(entry["channel"]):
                source, number = split_channel(entry["channel"])
                ring_file = sources.get(source, {}).get("file")
                found.append(Slot(source, number, entry["slot"], entry["since_frame"], ring_file))
        return found


class EngineFollower:
    """Finds the engine, and notices when it has ended. For one thread.

    Args:
        home: the data folder.
        chance: spreads the looks of many who wait.
        monotonic: seconds.
    """

    def __init__(
        self,
        home: Path,
        *,
        chance: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home, self._monotonic = home, monotonic
        self._backoff = Backoff(_MOST_WAIT_S, base_s=_MOST_WAIT_S / 8, chance=chance)
        self._again_s = monotonic()
        self._has_waited = False
        self._last: Path | None = None  # directory of the engine that was found last
        self._written = 0
        self._moved_s = monotonic()
        self.engine: FoundEngine | None = None
        self.away_because = "nobody has looked for it yet"
        """Why there is no engine."""
        self.engines = 0
        """Engines found."""

    def found(self) -> FoundEngine | None:
        """The engine, if one runs; looks for it now and then."""
        now_s = self._monotonic()
        if self.engine is None and now_s >= self._again_s:
            try:
                directory = Directory.open(self._home)
                rings = self._rings_of(directory)
            except (EngineUnavailableError, AudioGraphError) as error:
                self.away_because = str(error)
                self._has_waited = True
                self._again_s = now_s + self._backoff.wait_s()
            else:
                is_new = self._has_waited and directory.path != self._last
                self.engine, self._last = FoundEngine(directory, rings, is_new), directory.path
                self._written, self._moved_s = rings.written_frames, now_s
                self.engines += 1
                self._backoff.reset()
        return self.engine

    def has_ended(self) -> bool:
        """Whether the engine that was found does not run any more; then ``let_go``."""
        engine = self.engine
        if engine is None:
            return False
        if engine.rings.is_closed:
            return True
        now_s, written = self._monotonic(), engine.rings.written_frames
        if written != self._written:
            self._written, self._moved_s = written, now_s
        elif now_s - self._moved_s > _STANDSTILL_S:  # its audio graph is away, or it is dead
            self._moved_s = now_s
            return not self._lives(engine)
        return False

    def let_go(self, why: str = "the engine has ended") -> None:
        """It is not followed any more."""
        engine, self.engine = self.engine, None
        self.away_because, self._has_waited = why, True
        self._again_s = self._monotonic() + self._backoff.wait_s()
        if engine is not None:
            engine.rings.close()
            engine.directory.close()

    def _lives(self, engine: FoundEngine) -> bool:
        try:
            with Directory.open(self._home) as found:
                return found.path == engine.directory.path
        except EngineUnavailableError:
            return False

    @staticmethod
    def _rings_of(directory: Directory) -> ChannelRings:
        try:
            return ChannelRings.open(directory.path.parent / _name_of_rings(directory))
        except BaseException:
            directory.close()
            raise


def _name_of_rings(directory: Directory) -> str:
    name = directory.read().get("channel_rings")
    if not isinstance(name, str):
        raise EngineUnavailableError("the engine is starting: it has no rings yet")
    return name
