"""All sources of an engine: added, replaced, removed, listed, sought in, and kept for the next start."""

from __future__ import annotations

import logging
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
from streamer.engine.sources.beginning import failure_to_begin
from streamer.engine.sources.comebacks import Comebacks
from streamer.engine.sources.context import SharedCatalog, SourceContext, SourceHooks
from streamer.engine.sources.entries import Entry, Waiting, what_comes_back
from streamer.engine.sources.feeds import archive_zone, make_feed, require_recordings
from streamer.engine.sources.inheritance import inherit
from streamer.engine.sources.live import PushedFeed
from streamer.engine.sources.live_ports import LiveHook, LiveStreams
from streamer.engine.sources.recording_folder import recording_folder
from streamer.engine.sources.source_table import SourceTable
from streamer.engine.sources.sources_file import KEPT_NAME, read_sources_file, write_sources_file
from streamer.engine.sources.specification import SourceKind, SourceSpecification, parse_date
from streamer.engine.sources.start_slots import StartSlots
from streamer.engine.sources.supervisor import STOP_S, SourceSupervisor
from streamer.engine.sources.turns import Turns
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import EngineError, SourceError, TidzamError
from tidzam_platform.settings import Settings

Statuses = list[dict[str, Any]]
Names = list[str]
_LOG = logging.getLogger(__name__)
_TRY_AGAIN_S: Final = 10.0  # what could not be started, e.g. while the catalog is away
_SPARE_S: Final = 5.0  # beyond what ending a source may take, before a turn is given up


class SourceManager:
    """See the module. Safe for many threads; a context that ends all sources.

    Changes of one source wait for each other, in the order in which they were asked for; nothing else waits for a
    source that takes long to end, because its disk is slow or its decoder hangs.

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
        stop_s: how long a source may take to end, before who ends it is told that it hangs.
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
        stop_s: float = STOP_S,
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
        self._table = SourceTable(settings.sources.max_sources)
        self._turns = Turns()
        self._writing = threading.Lock()  # so that an old list is never written over a newer one
        self._stop_s, self._turn_s = stop_s, stop_s + _SPARE_S
        self._comebacks = Comebacks(self._table, self._turns, self._begin, self.events.publish, try_again_s)
        self._comebacks.start()

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
        wanted = [Waiting(source, is_kept=True) for source in kept]
        wanted += [Waiting(source, is_kept=False) for source in of_file if source.name not in named]
        for one in wanted:
            with self._turns.of(one.specification.name, self._turn_s):
                self._comebacks.bring(one)
        return len(self._table.entries())

    def add(
        self,
        request: Mapping[str, Any] | SourceSpecification,
        *,
        keep: bool | None = None,
        owner: str = "",
        must_have_recordings: bool = False,
    ) -> dict[str, Any]:
        """Add a source, or replace the one of the same name, which leaves it its archive.

        Args:
            request: as the API has it; empty values count as not given.
            keep: whether it is there again after a restart of the engine; permanent ones are, by default.
            owner: who it belongs to; see ``remove_owned``.
            must_have_recordings: refuse a temporary one at once if the archive has nothing for it to play.

        Returns:
            Its status; it is just beginning, see ``wait``.

        Raises:
            SourceError: it is not well described, may not be, or there are too many.
            EngineError: the source that it replaces does not end, and stays or comes back.
            BusyError: others are at the source of that name for longer.
        """
        asked = (
            request.as_dict(hide_secrets=False) if isinstance(request, SourceSpecification) else dict(request)
        )
        with self._turns.of(str(asked.get("name", "")), self._turn_s):
            return self._added(asked, keep, owner, must_have_recordings).status()

    def wait(self, number: int, timeout_s: float) -> dict[str, Any]:
        """Wait until a source has played, ended or failed once; see ``beginning``.

        Args:
            number: of its start, from its status.
            timeout_s: so long at most.

        Returns:
            Its status.

        Raises:
            SourceError: there was no such start lately.
        """
        entry = self._table.of_number(number)
        entry.supervisor.wait_begun(timeout_s)
        return entry.status()

    def wait_begun(self, name: str, timeout_s: float) -> dict[str, Any]:
        """As ``wait``, by name.

        Raises:
            SourceError: there is no such source, or it failed; the message says why.
        """
        status = self.wait(self._table.require(name).number, timeout_s)
        if (failure := failure_to_begin(status)) is not None:
            raise SourceError(str(failure)) from failure
        return status

    def remove(self, name: str) -> None:
        """End a source and forget it; one that it stood in for comes back when it has let go of its ports.

        A source of ``sources.file`` is there again when the engine is started the next time.

        Raises:
            SourceError: there is no such source.
            EngineError: it does not end in time. It is forgotten as soon as it does.
            BusyError: others are at the source of that name for longer.
        """
        with self._turns.of(name, self._turn_s):
            if self._table.drop_unstarted(name):
                self._write_kept()
            else:
                self._remove(self._table.require(name))
        self.events.publish("source_removed", source=name)

    def remove_owned(self, owner: str, *, is_prefix: bool = False) -> Names:
        """End what ``owner`` opened, or all whose names begin so: live streams, and sources that are not permanent.

        Returns:
            The names of the sources and the ports of the live streams.
        """
        owned = [
            entry
            for entry in self._table.entries()
            if entry.owner
            and (entry.owner == owner or (is_prefix and entry.owner.startswith(owner)))
            and not entry.specification.is_permanent
        ]
        for entry in owned:  # all of them at once: one that hangs must not keep the others playing
            entry.is_leaving = True
            entry.supervisor.cancel()
        gone = self.live.close_owned(owner, is_prefix=is_prefix)
        for entry in owned:
            try:
                with self._turns.of(entry.name, self._turn_s):
                    if self._table.find(entry.name) is entry:
                        self._remove(entry)
                        self.events.publish("source_removed", source=entry.name)
            except TidzamError as error:
                _LOG.error("a source of an owner that is gone: %s", error)
            else:
                gone.append(entry.name)
        return gone

    def seek(self, name: str, date: str) -> dict[str, Any]:
        """Let a source that plays an archive go on from ``date``; returns its status.

        Raises:
            SourceError: there is no such source, it plays no archive, that is no date, or nothing was recorded from
                then on; it plays on as before.
            CatalogError: the catalog does not answer.
        """
        entry = self._table.require(name)
        supervisor = entry.supervisor
        if supervisor.kind is not SourceKind.ARCHIVE or supervisor.has_ended or supervisor.is_ending:
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
        return entry.status()

    def push(self, name: str, pcm: bytes, rate_hz: int) -> None:
        """Push 16-bit little-endian frames to a source with ``live``; SourceError if it takes none."""
        feed = self._table.require(name).supervisor.feed
        if not isinstance(feed, PushedFeed):
            raise SourceError(f"source {name!r} is not live: nothing can be pushed to it")
        feed.push(pcm, rate_hz)

    def list(self) -> Statuses:
        """The status of all sources, by their names; also of those that could not be started."""
        return self._table.statuses()

    def status(self, name: str) -> dict[str, Any]:
        """The status of one, with its last 100 transitions; SourceError if there is none."""
        return self._table.status(name)

    def counts(self) -> dict[str, int]:
        """Numbers of sources in each state, and of starts under way; for metrics."""
        return {
            **self._table.counts(),
            "starting_now": self.slots.taken,
            "waiting_for_a_start": self.slots.waiting,
        }

    def close(self) -> None:
        """End all sources and live streams. What was added for good stays in its file. May be called again."""
        if self._table.is_closed:
            return
        entries = self._table.close()
        self._comebacks.close()
        for entry in entries:
            entry.supervisor.cancel()
        end_s = time.monotonic() + self._stop_s
        for entry in entries:
            try:
                entry.supervisor.stop(max(end_s - time.monotonic(), 0.0))
            except TidzamError as error:
                _LOG.error("%s", error)
        self.live.close()
        self._catalog.close()

    def _added(
        self, asked: dict[str, Any], keep: bool | None, owner: str, must_have_recordings: bool
    ) -> Entry:
        """See ``add``; the turn of the name is ours."""
        before = self._table.find(str(asked.get("name", "")))
        database = self._table.find(str(asked.get("database", "")))
        specification = inherit(
            asked,
            None if before is None or before.is_leaving else before.specification,
            None if database is None else database.specification,
        )
        if keep:
            specification = specification.model_copy(update={"is_permanent": True})
        if must_have_recordings:
            require_recordings(specification, self._context, utc_now())
        is_kept = specification.is_permanent if keep is None else keep
        known = self._table.unstarted(specification.name)
        unstarted = None if known is None else known.wanted
        beneath = what_comes_back(before, unstarted, specification)
        with self._table.place(specification.name):
            entry = self._make(specification, owner, is_kept=is_kept, beneath=beneath)
            self._put(entry, in_place_of=before)
        replaced = before or unstarted
        if is_kept or (replaced is not None and replaced.is_kept and beneath is None):
            self._write_kept()
        return entry

    def _make(
        self, specification: SourceSpecification, owner: str, *, is_kept: bool, beneath: Waiting | None
    ) -> Entry:
        kind, feed = make_feed(specification, self._context, utc_now())
        if kind is SourceKind.ARCHIVE:  # what is in the archive is not written to it once more
            specification = specification.model_copy(update={"record": False})
        if specification.record or specification.path_database is not None:
            recording_folder(specification, self._settings)  # refuses one outside of the archive
        supervisor = SourceSupervisor(
            specification, kind, feed, self._context, on_end=self._comebacks.note_ended
        )
        return Entry(supervisor, owner, is_kept, beneath)

    def _put(self, entry: Entry, in_place_of: Entry | None = None) -> None:
        """End the one before, then list the new one and start it; if that fails nothing is left of the new one."""
        try:
            if in_place_of is not None:
                in_place_of.supervisor.stop(self._stop_s)
            self._table.put(entry)
        except BaseException:
            entry.supervisor.stop()  # it was never started
            raise

    def _remove(self, entry: Entry) -> None:
        """See ``remove``; the turn of the name is ours."""
        entry.is_leaving = True
        try:
            entry.supervisor.stop(self._stop_s)
        except EngineError as error:
            raise EngineError(f"{error}; it is removed as soon as it ends") from error
        finally:  # also while it hangs: after a restart of the engine it shall not be there
            if entry.is_kept and entry.beneath is None:
                self._write_kept()
        self._comebacks.forget(entry)

    def _begin(self, wanted: Waiting) -> None:
        """Start a source that comes back; its turn is ours."""
        with self._table.place(wanted.specification.name):
            self._put(self._make(wanted.specification, "", is_kept=wanted.is_kept, beneath=None))

    def _write_kept(self) -> None:
        with self._writing:
            write_sources_file(self._settings.home / KEPT_NAME, self._table.kept())
