"""What all parts of the web process share."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from serving.gateway.hearing import GatewayCore
from streamer.web.access import Gatekeeper
from streamer.web.analyzer_link import AnalyzerLink
from streamer.web.archive_questions import ArchiveQuestions
from streamer.web.counting import Counts
from streamer.web.engine_link import EngineLink
from streamer.web.library import Library
from tidzam_platform.errors import TidzamError
from tidzam_platform.settings import Settings

OnEvent = Callable[[dict[str, Any]], None]

_CHANNELS_S: Final = 0.2  # how old a list of channels may be: many pages show the meters of one engine


class WebCore:
    """One a process; for any number of threads."""

    def __init__(self, settings: Settings) -> None:
        """SettingsError where the tokens or the folder of uploads cannot be used."""
        self.settings = _with_hosts(settings)
        self.gateway = GatewayCore(self.settings)
        self.gatekeeper = Gatekeeper(
            self.gateway.tokens, anonymous_may_listen=settings.web.anonymous_may_listen
        )
        self.engine = EngineLink(settings.home)
        self.analyzer = AnalyzerLink(settings.home)
        self.library = Library(self.settings)
        self.counts = Counts()
        self.questions = ArchiveQuestions(self.counts)
        self._lock = threading.Lock()
        self._channels: tuple[float, dict[str, Any] | TidzamError] | None = None

    def start(self, on_engine_event: OnEvent, on_analyzer_event: OnEvent) -> None:
        """Look for engine and analyzer, and hand on what they tell; who is called must not wait."""
        self.engine.start(on_engine_event)
        self.analyzer.start(on_analyzer_event)

    def close(self) -> None:
        """End the connections to engine, analyzer and model server, and to the catalog."""
        self.engine.close()
        self.analyzer.close()
        self.library.close()
        self.gateway.close()

    def channels(self) -> dict[str, Any]:
        """``channels.list`` of the engine, as it was not longer ago than a meter shows; TidzamError as it raised it."""
        with self._lock:  # who waits here shares the answer of the first, also where there is none
            if self._channels is None or time.monotonic() - self._channels[0] > _CHANNELS_S:
                answer: dict[str, Any] | TidzamError
                try:
                    answer = self.engine.request_quickly("channels.list")
                except TidzamError as error:
                    answer = error
                self._channels = (time.monotonic(), answer)
            known = self._channels[1]
        if isinstance(known, TidzamError):
            raise copy.copy(known)
        return known

    def without_paths(self, message: str) -> str:
        """``message`` for people outside: where our folders are is no business of theirs."""
        return self.gateway.without_paths(message)


def _with_hosts(settings: Settings) -> Settings:
    """The gateway's paths are called by the names of the web process too."""
    hosts = tuple(dict.fromkeys((*settings.gateway.allowed_hosts, *settings.web.allowed_hosts)))
    return settings.model_copy(
        update={"gateway": settings.gateway.model_copy(update={"allowed_hosts": hosts})}
    )
