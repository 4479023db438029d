"""Which microphones shall be heard: those of the engine's permanent sources, also while they are away; no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.engine_watch import EngineWatch
from tidzam_platform.channel_patterns import ChannelPatterns

_LOOK_S: Final = 5.0
_FORGETTINGS: Final = 3  # looks at which it is forgotten: its last windows may come after the first


class ExpectedMicrophones(EngineWatch):
    """A thread that asks the engine now and then; while it is away nothing changes.

    Args:
        home: the data folder, whose engine is asked.
        expect: told of the channels that shall be heard.
        forget: told of each channel whose source was taken away, permanent or not, or has it no more: nobody
            misses it. Told at three looks, one after the other.
        patterns: of the channels that are heard (``analyzer.channels``); no others are expected.
    """

    def __init__(
        self,
        home: Path,
        expect: Callable[[Iterable[str]], None],
        forget: Callable[[str], None],
        patterns: Iterable[str] = ("*",),
    ) -> None:
        super().__init__(home, "asking which microphones there are", _LOOK_S)
        self._expect, self._forget, self._patterns = expect, forget, ChannelPatterns(patterns)
        self._channels: dict[str, tuple[str, ...]] = {}  # by source: the last that it had
        self._gone: dict[str, int] = {}  # by channel: at how many looks more it is forgotten

    def look(self) -> None:
        """Ask once; the thread does so every five seconds.

        Raises:
            TidzamError: no engine answers.
        """
        sources: list[dict[str, Any]] = self._client.request("sources.list")["sources"]
        before = {channel for channels in self._channels.values() for channel in channels}
        there = {source["name"] for source in sources}
        self._channels = {name: channels for name, channels in self._channels.items() if name in there}
        for source in sources:
            if source["channels"]:  # else it is away for a while
                self._channels[source["name"]] = tuple(filter(self._patterns.match, source["channels"]))
        now = {channel for channels in self._channels.values() for channel in channels}
        self._gone = {channel: looks for channel, looks in self._gone.items() if looks and channel not in now}
        self._gone |= dict.fromkeys(sorted(before - now), _FORGETTINGS)
        for channel in self._gone:
            self._forget(channel)
            self._gone[channel] -= 1
        permanent = {source["name"] for source in sources if source["is_permanent"]}
        self._expect(
            [
                channel
                for name, channels in self._channels.items()
                if name in permanent
                for channel in channels
            ]
        )
