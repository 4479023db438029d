"""All sources of an engine: added, replaced, removed, listed, sought in, and kept for the next start."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from streamer.engine.control.events import EventHub
from streamer.engine.fetching import Resolver, system_resolver
from streamer.engine.graph.interface import AudioGraph
from streamer.engine.rings import RingFolder
from streamer.engine.sources.archive_recordings import recordings_from
from streamer.engine.sources.context import SharedCatalog, SourceContext, SourceHooks
from streamer.engine.sources.entries import Entry, Waiting, what_comes_back
from streamer.engine.sources.feeds import archive_zone, make_feed
from streamer.engine.sources.inheritance import inherit
from streamer.engine.sources.live import LiveHook, LiveStreams, PushedFeed
from streamer.engine.sources.recording_folder import recording_folder
from streamer.engine.sources.sources_file import KEPT_NAME, read_sources_file, write_sources_file
from streamer.engine.sources.specification import SourceKind, SourceSpecification, parse_date
from streamer.engine.sources.start_slots import StartSlots
from streamer.engine.sources.states import SourceState
from streamer.engine.sources.supervisor import SourceSupervisor
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import SourceError, TidzamError
from tidzam_platform.settings import Settings

Statuses = list[dict[str, Any]]
Names = list[str]
_LOG = logging.getLogger(__name__)
_MAX_ENDED: Final = 50  # sources that have ended and stay in the list, so that one sees why
_JOIN_S: Final = 5.0
_TRY_AGAIN_S: Final = 10.0  # what could not be started, e.g. while the catalog is away


class SourceManager:
    """See the module. Safe for many threads; a context that ends all sources.

    Args:
        graph: where the ports are made; closed by who made it, after the manager.
        folder: where the rings are made.
        settings: sources, archive, home.
        events: told of every step of a source; a new hub by default.
        hooks: what other parts of the engine want to know of rings and ports.
        on_live_opened: called with each live stream before samples are pushed to it.
        on_live_closed: called with each live stream before its ring is closed.
        monotonic: the clock of watchdogs, s.
        utc_ns: the wall clock, ns since 1970.
        chance: where back-off draws its waits from.
        resolver: who looks up names of servers.
        try_again_s: how often what could not be started is tried again.
    """

    def __init__(
        self,
        graph: AudioGraph,
        folder: RingFolder,
        settings: Settings,
        *,
        events: EventHub | None = None,
        hooks: SourceHooks | None = None,
        on_live_opened: LiveHook = lambda _stream: None,
        on_live_closed: LiveHook = lambda _stream: None,
        monotonic: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
        chance: random.Random | None = None,
        resolver: Resolver = system_resolver,
        try_again_s: float = _TRY_AGAIN_S,
    ) -> None:
        self.events = events or EventHub()
        self._settings = settings
        self._catalog = SharedCatalog(settings.catalog_url)
        self._context = SourceContext(
            settings=settings,
            graph=graph,
            folder=folder,
            slots=StartSlots(settings.sources.starts_at_once),
            open_catalog=self._catalog,
            tell=self.events.publish,
            hooks=hooks or SourceHooks(),
            monotonic=monotonic,
            utc_ns=utc_ns,
            chance=chance or random.Random(),  # noqa: S311 - it spreads load, it guards nothing
            resolver=resolver,
        )
        self.live = LiveStreams(self._context, on_opened=on_live_opened, on_closed=on_live_closed)
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._unstarted: dict[str, Waiting] = {}  # by name; tried again now and then
        self._try_again_s = try_again_s
        self._closed = False
        self._ended: queue.SimpleQueue[SourceSupervisor | None] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._look_after_ended, name="sources", daemon=True)
        self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def slots(self) -> StartSlots:
        """The limit on simultaneous starts."""
        return self._context.slots

    def start(self) -> int:
        """Start what was added for good, and the sources of ``sources.file``; returns how many.

        A source that was added under a name of the file has replaced it.

        Raises:
            SourceError: a file cannot be read; nothing is started then.
        """
        kept_file = self._settings.home / KEPT_NAME
        kept = read_sources_file(kept_file) if kept_file.exists() else []
        named = {source.name for source in kept}
        file = self._settings.sources.file
        of_file = read_sources_file(file) if file is not None else []
        wanted = [(source, True) for source in kept]
        wanted += [(source, False) for source in of_file if source.name not in named]
        for source, is_kept in wanted:
            self._begin_or_wait(Waiting(source, is_kept))
        return len(self._entries)

    def add(
        self, request: Mapping[str, Any] | SourceSpecification, *, keep: bool | None = None, owner: str = ""
    ) -> dict[str, Any]:
        """Add a source, or replace the one of the same name, which leaves it its archive.

        Args:
            request: as the API has it; empty values count as not given.
            keep: whether it is there again after a restart of the engine; permanent ones are, by default.
            owner: who it belongs to; see ``remove_owned``.

        Returns:
            Its status; it is just beginning, see ``wait_begun``.

        Raises:
            SourceError: it is not well described, may not be, or there are too many.
            EngineError: the source that it replaces does not end.
        """
        asked = (
            request.as_dict(hide_secrets=False) if isinstance(request, SourceSpecification) else dict(request)
        )
        with self._lock:
            before = self._entries.get(str(asked.get("name", "")))
            database = self._entries.get(str(asked.get("database", "")))
            specification = inherit(
                asked,
                None if before is None else before.supervisor.specification,
                None if database is None else database.supervisor.specification,
            )
            if keep:
                specification = specification.model_copy(update={"is_permanent": True})
            is_kept = specification.is_permanent if keep is None else keep
            self._require_place(specification.name)
            unstarted = self._unstarted.get(specification.name)
            beneath = what_comes_back(before, unstarted, specification)
            entry = self._make(specification, owner, is_kept=is_kept, beneath=beneath)
            if before is not None:
                before.supervisor.stop()
            self._unstarted.pop(specification.name, None)
            self._entries[specification.name] = entry
            entry.supervisor.start()
            replaced = before or unstarted
            if is_kept or (replaced is not None and replaced.is_kept and beneath is None):
                self._write_kept()
            return self._status_of(entry)

    def wait_begun(self, name: str, timeout_s: float) -> dict[str, Any]:
        """Wait until a source has played, or could not; returns its status.

        Raises:
            SourceError: there is no such source, or it failed; the message says why.
        """
        entry = self._entry(name)
        state = entry.supervisor.wait_begun(timeout_s)
        if state in (SourceState.FAILED, SourceState.BACKING_OFF):
            raise SourceError(f"source {name!r}: {entry.supervisor.last_failure}")
        return self._status_of(entry)

    def remove(self, name: str) -> None:
        """End a source and forget it; one that it stood in for comes back.

        A source of ``sources.file`` is there again when the engine is started the next time.

        Raises:
            SourceError: there is no such source.
            EngineError: it does not end.
        """
        with self._lock:
            if name in self._unstarted and name not in self._entries:
                del self._unstarted[name]
                self._write_kept()
            else:
                entry = self._entry(name)
                entry.supervisor.stop()
                del self._entries[name]
                if entry.beneath is not None:
                    self._begin_or_wait(entry.beneath)
                elif entry.is_kept:
                    self._write_kept()
        self.events.publish("source_removed", source=name)

    def remove_owned(self, owner: str, *, is_prefix: bool = False) -> Names:
        """End what ``owner`` opened, or all whose names begin so: live streams, and sources that are not permanent.

        Returns:
            The names of the sources and the ports of the live streams.
        """
        gone = self.live.close_owned(owner, is_prefix=is_prefix)
        with self._lock:
            owned = [
                name
                for name, entry in self._entries.items()
                if entry.owner
                and (entry.owner == owner or (is_prefix and entry.owner.startswith(owner)))
                and not entry.supervisor.specification.is_permanent
            ]
        for name in owned:
            try:
                self.remove(name)
                gone.append(name)
            except SourceError:  # somebody else was quicker
                continue
            except TidzamError as error:  # one that hangs must not keep the others playing
                _LOG.error("source %s of an owner that is gone: %s", name, error)
        return gone

    def seek(self, name: str, date: str) -> dict[str, Any]:
        """Let a source that plays an archive go on from ``date``; returns its status.

        Raises:
            SourceError: there is no such source, it plays no archive, that is no date, or nothing was recorded from
                then on; it plays on as before.
            CatalogError: the catalog does not answer.
        """
        entry = self._entry(name)
        supervisor = entry.supervisor
        if supervisor.kind is not SourceKind.ARCHIVE or supervisor.has_ended:
            raise SourceError(f"source {name!r} plays no archive just now: load it with a date first")
        try:
            moment = parse_date(date, archive_zone(supervisor.specification, self._context))
        except ValueError as error:
            raise SourceError(str(error)) from error
        database = supervisor.specification.archive_name
        if next(recordings_from(self._catalog(), database, moment), None) is None:
            raise SourceError(
                f"the archive holds nothing of {database!r} from {date} on: it goes on where it is"
            )
        supervisor.memory.jumps.ask(moment)
        return self._status_of(entry)

    def push(self, name: str, pcm: bytes, rate_hz: int) -> None:
        """Push 16-bit little-endian frames to a source with ``live``; SourceError if it takes none."""
        feed = self._entry(name).supervisor.feed
        if not isinstance(feed, PushedFeed):
            raise SourceError(f"source {name!r} is not live: nothing can be pushed to it")
        feed.push(pcm, rate_hz)

    def list(self) -> Statuses:
        """The status of all sources, by their names."""
        with self._lock:
            entries = [self._entries[name] for name in sorted(self._entries)]
        return [self._status_of(entry) for entry in entries]

    def status(self, name: str) -> dict[str, Any]:
        """The status of one, with its last 100 transitions; SourceError if there is none."""
        return self._status_of(self._entry(name), with_history=True)

    def counts(self) -> dict[str, int]:
        """Numbers of sources in each state, and of starts under way; for metrics."""
        with self._lock:
            states = [entry.supervisor.state for entry in self._entries.values()]
        return {
            **{state.value: states.count(state) for state in SourceState},
            "starting_now": self.slots.taken,
            "waiting_for_a_start": self.slots.waiting,
        }

    def close(self) -> None:
        """End all sources and live streams. What was added for good stays in its file. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            supervisors = [entry.supervisor for entry in self._entries.values()]
        self._ended.put(None)
        self._keeper.join(_JOIN_S)
        for supervisor in supervisors:
            supervisor.cancel()
        for supervisor in supervisors:
            try:
                supervisor.stop()
            except TidzamError as error:
                _LOG.error("%s", error)
        self.live.close()
        self._catalog.close()

    def _entry(self, name: str) -> Entry:
        with self._lock:
            entry = self._entries.get(name)
        if entry is None:
            raise SourceError(f"there is no source {name!r}; `./tidzam source list` shows them")
        return entry

    def _status_of(self, entry: Entry, *, with_history: bool = False) -> dict[str, Any]:
        status = entry.supervisor.status(with_history=with_history)
        stands_in = entry.beneath is not None
        return status | {"owner": entry.owner, "kept": entry.is_kept, "stands_in": stands_in}

    def _require_place(self, name: str) -> None:
        if self._closed:
            raise SourceError("the engine is ending: no source can be added")
        living = sum(
            not entry.supervisor.has_ended for other, entry in self._entries.items() if other != name
        )
        if living >= self._settings.sources.max_sources:
            raise SourceError(f"there are {living} sources already: remove one, or raise sources.max_sources")

    def _begin(self, specification: SourceSpecification, *, is_kept: bool) -> None:
        with self._lock:
            self._require_place(specification.name)
            entry = self._make(specification, "", is_kept=is_kept, beneath=None)
            self._entries[specification.name] = entry
            entry.supervisor.start()

    def _make(
        self, specification: SourceSpecification, owner: str, *, is_kept: bool, beneath: Waiting | None
    ) -> Entry:
        kind, feed = make_feed(specification, self._context, utc_now())
        if kind is SourceKind.ARCHIVE:  # what is in the archive is not written to it once more
            specification = specification.model_copy(update={"record": False})
        if specification.record or specification.path_database is not None:
            recording_folder(specification, self._settings)  # refuses one outside of the archive
        supervisor = SourceSupervisor(specification, kind, feed, self._context, on_end=self._ended.put)
        return Entry(supervisor, owner, is_kept, beneath)

    def _write_kept(self) -> None:
        """Write what is there for good, also what something else stands in for just now."""
        kept = []
        for entry in self._entries.values():
            if entry.beneath is not None and entry.beneath.is_kept:
                kept.append(entry.beneath.specification)
            elif entry.is_kept:
                kept.append(entry.supervisor.specification)
        kept += [waiting.specification for waiting in self._unstarted.values() if waiting.is_kept]
        write_sources_file(self._settings.home / KEPT_NAME, kept)

    def _begin_or_wait(self, wanted: Waiting) -> None:
        """Start a source; one that cannot be started now is tried again, and stays in the file, and others play."""
        source = wanted.specification
        try:
            self._begin(source, is_kept=wanted.is_kept)
        except TidzamError as error:
            if source.name in self._unstarted:
                return
            self._unstarted[source.name] = wanted
            _LOG.error("source %s cannot be started, it is tried again: %s", source.name, error)
            self.events.publish("source_warning", source=source.name, reason=str(error))
        else:
            self._unstarted.pop(source.name, None)

    def _look_after_ended(self) -> None:
        """Bring back what an ended source stood in for and what could not be started, and forget old ended ones."""
        while True:
            try:
                supervisor = self._ended.get(timeout=self._try_again_s)
            except queue.Empty:
                self._try_unstarted()
                continue
            if supervisor is None:
                return
            with self._lock:
                entry = self._entries.get(supervisor.name)
                if self._closed or entry is None or entry.supervisor is not supervisor:
                    continue
                if entry.beneath is not None:
                    self._begin_or_wait(entry.beneath)
                self._forget_oldest_ended()

    def _try_unstarted(self) -> None:
        with self._lock:
            for wanted in () if self._closed else tuple(self._unstarted.values()):
                self._begin_or_wait(wanted)

    def _forget_oldest_ended(self) -> None:
        ended = [name for name, entry in self._entries.items() if entry.supervisor.has_ended]
        for name in ended[: max(0, len(ended) - _MAX_ENDED)]:
            del self._entries[name]
