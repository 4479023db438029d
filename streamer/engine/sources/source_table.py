"""Which sources there are: those that are listed, those that could not be started, and the places that are taken."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from streamer.engine.sources.entries import Entry, Unstarted, Waiting
from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.states import SourceState
from tidzam_platform.errors import SourceError, TidzamError

_MAX_ENDED: Final = 50  # sources that have ended and stay in the list, so that one sees why
_MAX_NUMBERS: Final = 100  # starts that can be asked after by their number


class SourceTable:
    """For any thread. Its lock is held for no longer than a look: who ends a source does so outside of it.

    A name is listed, or could not be started, or neither; never both.

    Args:
        max_sources: so many that have not ended may be listed.
    """

    def __init__(self, max_sources: int) -> None:
        self._max_sources = max_sources
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._unstarted: dict[str, Unstarted] = {}
        self._coming: set[str] = set()
        self._numbers = itertools.count(1)
        self._started: OrderedDict[int, Entry] = OrderedDict()
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether no source may come any more."""
        return self._closed

    def close(self) -> list[Entry]:
        """Let no source come any more; returns those that are there, none the second time."""
        with self._lock:
            already, self._closed = self._closed, True
            return [] if already else list(self._entries.values())

    def find(self, name: str) -> Entry | None:
        """The source of that name, if one is listed."""
        with self._lock:
            return self._entries.get(name)

    def require(self, name: str) -> Entry:
        """The source of that name; SourceError if there is none, or it could not be started."""
        with self._lock:
            entry, unstarted = self._entries.get(name), self._unstarted.get(name)
        if entry is not None:
            return entry
        if unstarted is not None:
            raise SourceError(
                f"source {name!r} could not be started: {unstarted.failure}; it is tried again now and then"
            )
        raise SourceError(f"there is no source {name!r}; `./tidzam source list` shows them")

    def unstarted(self, name: str) -> Unstarted | None:
        """The source of that name, if it could not be started."""
        with self._lock:
            return self._unstarted.get(name)

    def of_number(self, number: int) -> Entry:
        """The source of one of the last hundred starts, also if it is gone by now; SourceError for another number."""
        with self._lock:
            entry = self._started.get(number)
        if entry is None:
            raise SourceError(
                f"no source was started under number {number} lately; `./tidzam source list` shows them"
            )
        return entry

    def entries(self) -> list[Entry]:
        """All that are listed."""
        with self._lock:
            return list(self._entries.values())

    def names_unstarted(self) -> list[str]:
        """Of all that could not be started."""
        with self._lock:
            return list(self._unstarted)

    def statuses(self) -> list[dict[str, Any]]:
        """Of all, by their names."""
        with self._lock:
            known: dict[str, Entry | Unstarted] = {**self._unstarted, **self._entries}
        return [known[name].status() for name in sorted(known)]

    def status(self, name: str) -> dict[str, Any]:
        """Of one, with its last 100 transitions; SourceError if there is none."""
        with self._lock:
            known: Entry | Unstarted | None = self._entries.get(name) or self._unstarted.get(name)
        return (known or self.require(name)).status(with_history=True)

    def counts(self) -> dict[str, int]:
        """How many are in each state, and how many could not be started."""
        with self._lock:
            states = [entry.supervisor.state for entry in self._entries.values()]
            return {
                **{state.value: states.count(state) for state in SourceState},
                "unstarted": len(self._unstarted),
            }

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """While the context lasts there is a place for ``name``; for who has the turn of that name.

        Raises:
            SourceError: there are too many sources, or none may come any more.
        """
        with self._lock:
            if self._closed:
                raise SourceError("the engine is ending: no source can be added")
            living = {other for other, entry in self._entries.items() if not entry.supervisor.has_ended}
            others = len((living | self._coming) - {name})
            if others >= self._max_sources:
                raise SourceError(
                    f"there are {others} sources already: remove one, or raise sources.max_sources"
                )
            self._coming.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._coming.discard(name)

    def put(self, entry: Entry) -> None:
        """List a source in the place of the one of its name, which has ended, and start it.

        Raises:
            SourceError: none may come any more.
            EngineError: the system has no thread to give. Nothing has changed then.
        """
        with self._lock:
            if self._closed:
                raise SourceError("the engine is ending: no source can be added")
            entry.supervisor.start()
            entry.number = next(self._numbers)
            self._entries[entry.name] = entry
            self._unstarted.pop(entry.name, None)
            self._started[entry.number] = entry
            while len(self._started) > _MAX_NUMBERS:
                self._started.popitem(last=False)

    def put_off(self, wanted: Waiting, failure: TidzamError | OSError) -> bool:
        """A source could not be started, and is not listed; returns whether that is so for the first time."""
        name = wanted.specification.name
        with self._lock:
            known = self._unstarted.get(name)
            self._entries.pop(name, None)
            self._unstarted[name] = (
                Unstarted(wanted, failure)
                if known is None
                else Unstarted(wanted, failure, known.since, known.since_s)
            )
            return known is None

    def drop(self, entry: Entry) -> None:
        """Forget a source that has ended; nothing happens if it is not listed any more."""
        with self._lock:
            if self._entries.get(entry.name) is entry:
                del self._entries[entry.name]

    def drop_unstarted(self, name: str) -> bool:
        """Do not try to start it any more; returns whether there was one."""
        with self._lock:
            return self._unstarted.pop(name, None) is not None

    def forget_oldest_ended(self) -> None:
        """Keep the list short: those that ended first go."""
        with self._lock:
            ended = [name for name, entry in self._entries.items() if entry.supervisor.has_ended]
            for name in ended[: max(0, len(ended) - _MAX_ENDED)]:
                del self._entries[name]

    def kept(self) -> list[SourceSpecification]:
        """What is there for good, also what something else stands in for just now."""
        with self._lock:
            kept = []
            for entry in self._entries.values():
                if entry.beneath is not None and entry.beneath.is_kept:
                    kept.append(entry.beneath.specification)
                elif entry.is_kept and not entry.is_leaving:
                    kept.append(entry.specification)
            waiting = [unstarted.wanted for unstarted in self._unstarted.values()]
            return kept + [wanted.specification for wanted in waiting if wanted.is_kept]
