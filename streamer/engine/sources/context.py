"""What all sources of an engine share."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from streamer.engine.fetching import Resolver, system_resolver
from streamer.engine.graph.interface import AudioGraph
from streamer.engine.rings import RingFolder, SourceRing
from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.start_slots import StartSlots
from tidzam_platform.catalog.database import Catalog
from tidzam_platform.settings import Settings

_LOG = logging.getLogger(__name__)

Tell = Callable[..., None]
"""Called with the name of an event and what it says as keywords; never blocks (``EventHub.publish``)."""


class SourceHooks:
    """What other parts of the engine want to know of sources. Subclass it; called in the thread of the source.

    A hook that raises is logged and changes nothing for the source.
    """

    def on_ring_opened(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:
        """A ring was made; nothing is written to it before this returns."""

    def on_ring_closed(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:
        """Nothing is written to the ring any more; it is closed when this returns."""

    def on_ports_changed(
        self, source: str, ports: tuple[str, ...], specification: SourceSpecification
    ) -> None:
        """These ports carry the source's channels now, channel 1 first; none: it is gone."""

    def on_copy_opened(
        self,
        source: str,  # noqa: ARG002
        container: str,  # noqa: ARG002
        specification: SourceSpecification,  # noqa: ARG002
    ) -> Callable[[bytes], None] | None:
        """Who wants the source's own bytes as they come; None: nobody.

        Raises:
            SourceError: that container cannot be passed on.
        """
        return None

    def on_copy_closed(self, source: str) -> None:
        """No more of them come."""


@dataclass(frozen=True)
class SourceContext:
    """See the module. ``open_catalog`` gives the same catalog each time, and is called when an archive is played."""

    settings: Settings
    graph: AudioGraph
    folder: RingFolder
    slots: StartSlots
    open_catalog: Callable[[], Catalog]
    tell: Tell = lambda _event, **_what: None
    hooks: SourceHooks = field(default_factory=SourceHooks)
    monotonic: Callable[[], float] = time.monotonic
    utc_ns: Callable[[], int] = time.time_ns
    chance: random.Random = field(default_factory=random.Random)
    resolver: Resolver = system_resolver

    def tell_ports(self, specification: SourceSpecification, ports: tuple[str, ...]) -> None:
        """Tell the hook of ports; its fault is no reason for a source to be silent."""
        try:
            self.hooks.on_ports_changed(specification.name, ports, specification)
        except Exception:  # noqa: BLE001 - logged with its trace
            _LOG.exception("source %s: a listener of the ports failed", specification.name)


class SharedCatalog:
    """Opens a catalog when it is first wanted. Safe for many threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None

    def __call__(self) -> Catalog:
        """The catalog; CatalogError if it cannot be opened."""
        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog.open(self._url)
            return self._catalog

    def close(self) -> None:
        """Give its connections back. May be called again."""
        with self._lock:
            catalog, self._catalog = self._catalog, None
        if catalog is not None:
            catalog.close()
