"""The engine: everything that carries audio, put together, and taken apart in the opposite order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final, Self

from streamer.engine.archiving import Archiving
from streamer.engine.channels import Channel, ChannelTable
from streamer.engine.control import EventHub
from streamer.engine.graph import ANALYZER, LIVE_STREAMS, open_graph
from streamer.engine.listening import ListenedChannel, Listening, Place, channel_mounts
from streamer.engine.metering import Metering
from streamer.engine.mixer import Mixer
from streamer.engine.rings import ChannelRings, Directory, RingFolder, SourceRing
from streamer.engine.sources.context import SourceHooks
from streamer.engine.sources.live import LiveStream
from streamer.engine.sources.manager import SourceManager
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.clock import utc_now
from tidzam_platform.settings import Settings

_LIVE: Final = SourceSpecification(name="live", live=True)  # what is said of the channels of live streams


class Engine:
    """See the module. A context, entered once.

    Entering it raises what its parts raise: BusyError (another engine of this home runs), MissingSystemPartError and
    ProcessError (JACK or Icecast), SettingsError and SourceError (files of rules and of sources). What was opened
    until then is closed again.

    Args:
        settings: of everything.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.since = utc_now()
        self.events = EventHub()
        self.listening: Listening | None = None
        self._live_ports: dict[int, str] = {}  # by number; not asked of the graph, which may be away
        self._live_changing = threading.Lock()  # so that the table hears of their ports in order
        self._publishing = threading.Lock()  # so that an old list of channels never comes after a newer one
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            self._open(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._opened.close()

    def _open(self, opened: contextlib.ExitStack) -> None:
        settings, home = self.settings, self.settings.home
        folder = opened.enter_context(RingFolder(home))
        self.graph = opened.enter_context(contextlib.closing(open_graph(settings.graph, home)))
        self.rings = opened.enter_context(
            ChannelRings.create(folder, settings.graph.max_channels, settings.graph.ring_s)
        )
        directory = opened.enter_context(Directory.create(folder))
        inputs = opened.enter_context(contextlib.closing(self.graph.open_inputs(ANALYZER, self.rings)))
        self.table = ChannelTable(self.graph, inputs, self.rings, directory, self._channels_changed)
        self.mixer = opened.enter_context(contextlib.closing(Mixer(settings.mixer, home)))
        self.metering = Metering(self.table, self.rings, self.mixer, why_lost=self._why_lost)
        self.metering.start()
        opened.callback(self.metering.stop)
        self.archiving = opened.enter_context(Archiving(settings))
        if settings.icecast.enabled:
            self.listening = Listening(settings.icecast, home, self.rings, self.table.slot_of, self.mixer)
            self.listening.start()
            opened.callback(self.listening.stop)
        self.sources = opened.enter_context(
            SourceManager(
                self.graph,
                folder,
                settings,
                events=self.events,
                hooks=_Hooks(self),
                on_live_opened=self._live_opened,
                on_live_closed=self._live_closed,
            )
        )
        self.sources.start()

    def lose_owners(self, prefix: str) -> None:
        """The process that spoke for owners whose names begin so is gone: end what they opened."""
        self.sources.remove_owned(prefix, is_prefix=True)

    def keep_stream(self, stream: LiveStream) -> str:
        """Record a live stream from now on; returns the folder and what the names of its files begin with."""
        plan = self.archiving.unchecked_plan(f"livestream{stream.info.number}")
        self.archiving.record(stream.info.port, stream.ring, plan)
        return f"{plan.folder.name}/{plan.database}"

    def mounts_of(self, channel: str) -> list[str]:
        """Addresses where a channel can be listened to; none while Icecast is off."""
        if self.listening is None:
            return []
        return [f"http://{self.address}{mount.path}" for mount in channel_mounts(ListenedChannel(channel))]

    def copy_of(self, source: str) -> str | None:
        """Address where a source's own bytes can be listened to; None if they are not passed on."""
        path = self.listening.copy_path(source) if self.listening else None
        return None if path is None else f"http://{self.address}{path}"

    @property
    def address(self) -> str:
        """Where people listen; empty while Icecast is off."""
        return self.listening.icecast.address if self.listening else ""

    def counts(self) -> dict[str, Any]:
        """Every counter: a number by its name, or for each source or channel one."""
        graph = self.graph.status()
        sources = {status["name"]: status for status in self.sources.list()}
        names = {name for status in sources.values() for name in status["counts"]}
        return {
            "graph_xruns": self.graph.xruns,
            "graph_running": int(self.graph.is_running),
            "graph_restarts": graph.get("restarts", 0),
            "rings_missed_frames": self.rings.counts().get("missed_frames", 0),
            **{f"sources_{name}": value for name, value in self.sources.counts().items()},
            **{f"archive_{name}": value for name, value in self.archiving.counts().items()},
            **{f"mixer_{name}": value for name, value in self.mixer.counts().items()},
            **{f"listening_{name}": value for name, value in self._listening_counts().items()},
            **{
                f"source_{name}": {
                    source: status["counts"][name]
                    for source, status in sources.items()
                    if name in status["counts"]
                }
                for name in sorted(names)
            },
        }

    def _why_lost(self) -> str:
        """Why the audio graph is away; empty if it does not know of it."""
        graph = self.graph.status()
        if graph["running"]:
            return ""
        return f"the audio graph is away and will be made again: {graph['lost_because'] or 'it ended'}"

    def _channels_changed(self) -> None:
        with self._publishing:
            channels = self.table.list()
            if self.listening is not None:
                self.listening.set_channels([_listened(channel) for channel in channels])
        self.events.publish("channels", count=len(channels))

    def _listening_counts(self) -> dict[str, int]:
        return self.listening.counts() if self.listening else {}

    def _live_opened(self, stream: LiveStream) -> None:
        with self._live_changing:
            self._live_ports[stream.info.number] = stream.info.port
            self._tell_live_ports()

    def _live_closed(self, stream: LiveStream) -> None:
        try:
            self.archiving.ring_closed(stream.ring)  # may take long: it finishes a file
        finally:
            with self._live_changing:
                self._live_ports.pop(stream.info.number, None)
                self._tell_live_ports()

    def _tell_live_ports(self) -> None:
        self.table.ports_changed(LIVE_STREAMS, tuple(self._live_ports.values()), _LIVE)


def _listened(channel: Channel) -> ListenedChannel:
    return ListenedChannel(channel.name, place=_place(channel.specification))


def _place(specification: SourceSpecification) -> Place | None:
    if specification.latitude is None or specification.longitude is None:
        return None
    return Place(specification.latitude, specification.longitude)


class _Hooks(SourceHooks):
    """What the engine does as rings, ports and copies of sources come and go."""

    def __init__(self, engine: Engine) -> None:
        self._table, self._archiving, self._listening = engine.table, engine.archiving, engine.listening

    def on_ring_opened(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:
        self._table.ring_opened(source, ring)
        self._archiving.ring_opened(source, ring, specification)

    def on_ring_closed(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:  # noqa: ARG002
        self._archiving.ring_closed(ring)
        self._table.ring_closed(source, ring)

    def on_ports_changed(
        self, source: str, ports: tuple[str, ...], specification: SourceSpecification
    ) -> None:
        try:
            self._table.ports_changed(source, ports, specification)
        finally:
            if not ports and self._listening is not None:
                self._listening.close_copy(source)  # it has ended, or cannot be heard: nobody waits for it

    def on_copy_opened(
        self, source: str, container: str, specification: SourceSpecification
    ) -> Callable[[bytes], None] | None:
        if self._listening is None:
            return None
        return self._listening.open_copy(source, container, place=_place(specification)).publish

    def on_copy_closed(self, source: str) -> None:
        if self._listening is not None:
            self._listening.pause_copy(source)  # it may be connected again
