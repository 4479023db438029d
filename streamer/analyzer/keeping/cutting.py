"""From results of windows to clips that are handed on: rules, choice, audio, what must not be kept, filters."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streamer.analyzer.keeping.disagreements import Disagreement, Disagreements
from streamer.analyzer.keeping.finishing import BUSY, NO_ROOM, ClipFinisher, TakesClips
from streamer.analyzer.keeping.heard_windows import HeardWindows
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.matching import RuleBook
from streamer.analyzer.keeping.near_duplicates import NearDuplicates
from streamer.analyzer.keeping.selection import Selector
from streamer.analyzer.keeping.waiting import VERDICT_PATIENCE_S, AudioSource, WaitingClips
from streamer.analyzer.windows import WindowResult
from tidzam_platform.clips.rules import MAX_LENGTH_S
from tidzam_platform.clips.rules_store import StoredRule


class ClipCutter:
    """For one thread; ``book``, ``waiting`` and ``counts`` are for any.

    Args:
        history: the audio of the last seconds.
        ledger: counts of clips.
        writer: gets the clips.
        tell: told ``clip_skipped`` of each that is chosen and not kept.
        draws: of the rates.
        clock: the seconds by which clips wait for their audio; ``WindowKey.ended_s`` counts alike.
    """

    def __init__(
        self,
        history: AudioSource,
        ledger: Ledger,
        writer: TakesClips,
        tell: Callable[..., None],
        draws: random.Random,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer, self._clock = writer, clock
        self._near = NearDuplicates()
        self._selector = Selector(ledger, self._near, draws)
        self._finisher = ClipFinisher(self._selector, writer, tell)
        self._heard = HeardWindows(MAX_LENGTH_S + VERDICT_PATIENCE_S)
        self._waiting = WaitingClips(history, self._heard)
        self._disagreements = Disagreements()
        self._thresholds: Mapping[str, float] = {}
        self._counts = Counter[str]()
        self.book = RuleBook()
        """The rules that are followed."""

    @property
    def waiting(self) -> int:
        """Clips that wait for their audio, or for the word that they may be kept."""
        return len(self._waiting)

    def counts(self) -> dict[str, Any]:
        """Counters, for metrics; ``skipped`` by reason."""
        return {
            "results": self._counts["results"],
            "chosen": self._counts["chosen"],
            "skipped": dict(self._finisher.skipped),
            "waiting": self.waiting,
            "held_bytes": self._waiting.held_bytes + self._near.memory_bytes,
        }

    def follow(self, rules: Sequence[StoredRule], thresholds: Mapping[str, float]) -> None:
        """Other rules, or other thresholds of the served classes, from now on."""
        before, others = self.book.forbidding, thresholds != self._thresholds
        self.book, self._thresholds = RuleBook(rules, thresholds), thresholds
        if self.book.forbidding != before or (before and others):
            self._heard.clear()
            self._waiting.guard(lambda channel: bool(self.book.of(channel).forbidding))

    def keep_nothing(self) -> None:
        """Follow no rule, and give up what waits: something may be forbidden that is not known."""
        self.book = RuleBook()
        self.give_up_all()

    def take(self, result: WindowResult) -> None:
        """A window was heard."""
        self._counts["results"] += 1
        rules = self.book.of(result.key.channel)
        is_forbidden = any(matcher.hears(result) for matcher in rules.forbidding)
        if rules.forbidding:
            self._heard.note(result.key, is_forbidden)
        if is_forbidden:
            return
        canary = self._disagreements.of_result(result) if self.book.wants_disagreements else None
        self._choose(result, canary, asks_canary=False)

    def disagree(self, found: Disagreement) -> None:
        """The canary took a window for something else."""
        result = self._disagreements.result_of(found)
        if result is not None:
            self._choose(result, found.class_path, asks_canary=True)

    def settle(self, now_s: float, note: Callable[[Exception], None]) -> None:
        """Hand on the clips that wait no more; a fault with one is noted and costs the others nothing."""
        for settled in self._waiting.settled(now_s):
            try:
                self._finisher.finish(settled)
            except Exception as error:  # noqa: BLE001 - noted
                note(error)

    def give_up_all(self) -> None:
        """At the end: what still waits."""
        for chosen in self._waiting.give_up_all():
            self._selector.give_up(chosen)

    def _choose(self, result: WindowResult, canary: str | None, *, asks_canary: bool) -> None:
        rules = self.book.of(result.key.channel)
        chosen = self._selector.choose(result, rules, canary=canary, asks_canary=asks_canary)
        if chosen is None:
            return
        self._counts["chosen"] += 1
        if not self._writer.accepts:
            self._finisher.skip(chosen, NO_ROOM)
        elif not self._waiting.add(chosen, self._clock(), is_guarded=bool(rules.forbidding)):
            self._finisher.skip(chosen, BUSY)
