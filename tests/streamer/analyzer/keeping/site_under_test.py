"""A keeper with a real catalog, store and history, and everything that it tells."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.keeping import ClipKeeper
from streamer.analyzer.windows import WindowResult
from tests.streamer.analyzer.keeping.made import RATE_HZ, hear, run, sound, window
from tests.support.waiting import wait_for
from tidzam_platform.clips import add_rule
from tidzam_platform.clips.listing import ClipQuery, FoundClip, find_clips
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings


class Site:
    """Channels that sound, and the recorder of clips."""

    def __init__(self, settings: Settings, *, history_mb: int = 200) -> None:
        self.home = Home.open(settings)
        self.history = AudioHistory(history_mb * 1_000_000)
        self._lock = threading.Lock()
        self._events: list[tuple[float, str, dict[str, Any]]] = []
        self.keeper = ClipKeeper(
            self.home,
            settings,
            self.history,
            tell=self._tell,
            draws=random.Random(1),  # noqa: S311 - no secret
        )
        self._runs = 0

    def _tell(self, name: str, **what: Any) -> None:
        with self._lock:
            self._events.append((time.monotonic(), name, what))

    def events(self, name: str) -> list[dict[str, Any]]:
        with self._lock:
            return [what for _, known, what in self._events if known == name]

    def told_at(self, name: str) -> list[float]:
        with self._lock:
            return [at_s for at_s, known, _ in self._events if known == name]

    def reasons(self) -> list[str]:
        return [what["reason"] for what in self.events("clip_skipped")]

    def add_rule(self, **spec: object) -> int:
        return add_rule(self.home.catalog, RecorderRuleSpec.parse(spec), "ann").id

    def sound(
        self, answer: str = "birds-robin", *, seconds: float = 4, channel: int = 1, **what: Any
    ) -> NDArray[np.int16]:
        """A new run: noise, and a window in the middle of it that has the answer; the others hear nothing."""
        self._runs += 1
        of = run(later_s=100 * self._runs)
        audio = sound(seconds, seed=self._runs)
        hear(self.history, audio, channel=channel, of=of)
        middle = round(seconds) - 1
        for number in range(2 * round(seconds) - 1):
            heard = answer if number == middle else "unknown"
            self.keeper.on_result(
                window(
                    number, heard, channel=channel, of=of, ended_s=0.0, **(what if number == middle else {})
                )
            )
        return audio

    def result(self, number: int, answer: str, **what: Any) -> WindowResult:
        return window(number, answer, of=run(later_s=100 * self._runs), ended_s=0.0, **what)

    def clips(self) -> tuple[FoundClip, ...]:
        return find_clips(self.home.catalog, ClipQuery(limit=1000)).clips

    def wait_kept(self, number: int, deadline_s: float = 20) -> None:
        wait_for(lambda: len(self.events("clip_kept")) >= number, f"{number} clips are kept", deadline_s)


@contextmanager
def running_site(settings: Settings, *rules: dict[str, object], history_mb: int = 200) -> Iterator[Site]:
    """A site whose keeper runs and has read its rules."""
    site = Site(settings, history_mb=history_mb)
    for spec in rules:
        site.add_rule(**spec)
    site.keeper.start()
    try:
        assert site.keeper.wait_for_rules(20)
        yield site
    finally:
        stopped = site.keeper.stop()
        site.home.catalog.close()
    assert stopped


def seconds(audio: NDArray[np.int16], begin_s: float, end_s: float) -> NDArray[np.int16]:
    return audio[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)]
