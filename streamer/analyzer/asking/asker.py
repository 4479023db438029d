"""Asking the model server: live windows at once, those that it could not take from the spool, later."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from streamer.analyzer.asking.draining import Draining
from streamer.analyzer.asking.generations import AskedModel, Generations
from streamer.analyzer.asking.live_queue import LiveQueue, Ticket
from streamer.analyzer.asking.live_streams import DO_NOT_WAIT, apart, is_live_stream
from streamer.analyzer.asking.question import Outcome, ask
from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.asking.spool import Spool
from streamer.analyzer.asking.spool_writing import SpoolWriting
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import Heard, Moment, WindowKey
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.settings import Settings

# 256 channels of 48 kHz with windows of 1 s every 0.5 s are 98 MB a second.
_MAX_LIVE_BYTES: Final = 512 << 20
_MAX_WRITING_BYTES: Final = 256 << 20
_LIVE_SLACK_S: Final = 2.0  # an answer later than this, beyond what may wait, is late enough for the spool
_WRITING_SHARE: Final = 0.4  # of the time in which it ends: what waits in memory must reach the disk
_LOG = logging.getLogger(__name__)


class Asker:
    """Takes moments, passes answers on in the order of the moments. Started and stopped once.

    A moment that the server does not take in time goes to the spool and is asked for later, in the order of writing,
    while no live moment waits. A window is either heard, once, or told as lost, once. Windows of live streams
    (``tidzam-livestreams``) are asked for by themselves, without the shadow, and never go to the spool: what is not
    heard at once is lost.

    Args:
        client_of: the client of the model server; called by the threads, each time.
        settings: sections ``analyzer`` and ``model_server``.
        spool: for what the server cannot take now.
        on_heard: told of answers, by several threads; may wait, which makes moments wait, and then go to the spool.
        on_lost: told which windows will never be heard, and why; must not wait.
        generations: where the generations that answer are learned, before ``on_heard`` is told.
    """

    def __init__(
        self,
        client_of: Callable[[], AskedModel],
        settings: Settings,
        spool: Spool,
        on_heard: Callable[[Heard], None],
        on_lost: Callable[[Sequence[WindowKey], str], None],
        *,
        generations: Generations | None = None,
    ) -> None:
        self._client_of, self._spool = client_of, spool
        self._on_heard, self._on_lost = on_heard, on_lost
        self.generations = generations or Generations()
        analyzer, self._deadline_s = settings.analyzer, settings.model_server.deadline_s
        self._live_deadline_s = min(self._deadline_s, analyzer.max_behind_s + _LIVE_SLACK_S)
        self._live = LiveQueue(analyzer.max_behind_s, _MAX_LIVE_BYTES)
        self._draining = Draining(spool, self._live, self._ask_for_spooled, on_heard, self._lose)
        self._writing = SpoolWriting(spool, self._lose, self._draining.wake, _MAX_WRITING_BYTES)
        self._guards = [LoopGuard("asking") for _ in range(analyzer.requests_at_once)]
        self._threads = [
            threading.Thread(
                target=self._run,
                args=(guard,),
                name=f"tidzam-asker-{number}",
                daemon=True,
            )
            for number, guard in enumerate(self._guards, start=1)
        ]
        self._lock = threading.Lock()
        self._counts = Counter(submitted=0, answered=0, to_spool=0, lost=0)
        self._lost_by_channel: Counter[str] = Counter()
        self._last_reason = ""
        self._away_since: datetime | None = None
        self._away_because = ""

    def start(self) -> None:
        """Begin to ask, for what waits in the spool too."""
        self._writing.start()
        self._draining.start()
        for thread in self._threads:
            thread.start()

    def submit(self, moment: Moment) -> None:
        """Have a moment heard; never waits."""
        self._count("submitted", moment)
        for part in apart(moment):
            for late in self._live.put(part):
                self._to_spool(late)

    def server_is_back(self) -> None:
        """Somebody knows that the server answers: what waits is asked for at once."""
        self._draining.wake()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End; what waits goes to the spool. Returns whether all ended in time."""
        end_s = time.monotonic() + timeout_s
        asked_until_s = end_s - _WRITING_SHARE * timeout_s
        for moment in self._live.close():
            self._to_spool(moment)
        self._draining.ask_to_stop()
        ended = True
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, asked_until_s - time.monotonic()))
                ended &= not thread.is_alive()
        ended &= self._draining.stop(max(0.0, asked_until_s - time.monotonic()))
        return self._writing.stop(max(0.0, end_s - time.monotonic())) and ended

    def status(self) -> dict[str, Any]:
        """How it stands: whether the server answers, what waits, what was lost by channel."""
        with self._lock:
            return {
                "away_since": self._away_since and format_utc(self._away_since),
                "away_because": self._away_because,
                "live_windows": self._live.windows,
                "behind_s": round(self._live.behind_s, 3),
                "lost": dict(self._lost_by_channel),
                "last_lost_because": self._last_reason,
                "spool": self._spool.status(),
            }

    def counts(self) -> dict[str, int]:
        """Counters of windows, for metrics: submitted, answered live, sent to the spool, drained from it, lost.

        ``faults`` are those of the threads that nobody foresaw.
        """
        faults = self._draining.faults + self._writing.faults + sum(guard.faults for guard in self._guards)
        with self._lock:
            return {**self._counts, "drained": self._draining.drained, "faults": faults}

    def _run(self, guard: LoopGuard) -> None:
        while (ticket := self._live.take()) is not None:
            with guard:
                outcome = self._asked(ticket.moment, self._live_deadline_s)
                with self._live.in_turn(ticket):
                    self._settle(ticket, outcome)

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        if outcome.away:
            self._to_spool(ticket.moment)
        if outcome.refused:
            self._lose(outcome.refused)
        if outcome.prediction is not None:
            with self._lock:
                self._counts["answered"] += len(outcome.keys)
            self._on_heard(Heard(outcome.keys, outcome.prediction))

    def _ask_for_spooled(self, moment: Moment) -> Outcome:
        return self._asked(moment, self._deadline_s)

    def _asked(self, moment: Moment, deadline_s: float) -> Outcome:
        try:
            outcome = ask(self._client_of, self.generations, moment, deadline_s)
        except Exception:  # noqa: BLE001 - one moment must not cost all that follow
            _LOG.exception("asking for %d windows failed", len(moment.keys))
            return Outcome(refused=(LostWindows(moment.keys, "asking for them failed; see the log"),))
        self._note(outcome)
        return outcome

    def _note(self, outcome: Outcome) -> None:
        """Whether the server is there."""
        with self._lock:
            was_away = self._away_since is not None
            self._away_because = outcome.away
            if not outcome.away:
                self._away_since = None
            elif not was_away:
                self._away_since = utc_now()
        if outcome.away and not was_away:
            _LOG.warning("windows go to the spool: %s", outcome.away)
        elif was_away and not outcome.away:
            _LOG.info("the model server answers again")
            self._draining.wake()

    def _to_spool(self, moment: Moment) -> None:
        for part in apart(moment):
            if is_live_stream(part.keys[0]):
                self._lose([LostWindows(part.keys, DO_NOT_WAIT)])
            elif self._writing.put(part):
                self._count("to_spool", part)
            else:
                self._lose(
                    [LostWindows(part.keys, "the disk of the spool is too slow, or the analyzer ends")]
                )

    def _lose(self, lost: Sequence[LostWindows]) -> None:
        for windows in lost:
            with self._lock:
                self._counts["lost"] += len(windows.keys)
                self._lost_by_channel.update(key.channel for key in windows.keys)
                is_new = windows.reason != self._last_reason
                self._last_reason = windows.reason
            if is_new:
                _LOG.warning("%d windows are lost: %s", len(windows.keys), windows.reason)
            self._on_lost(windows.keys, windows.reason)

    def _count(self, name: str, moment: Moment) -> None:
        with self._lock:
            self._counts[name] += len(moment.keys)
