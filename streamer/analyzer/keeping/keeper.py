"""The recorder of clips: results of windows in, clips in store and catalog out. Nobody waits for it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from streamer.analyzer.keeping.disagreements import Disagreement, Disagreements
from streamer.analyzer.keeping.disk_watch import DiskWatch
from streamer.analyzer.keeping.finishing import BUSY, NO_ROOM, ClipFinisher
from streamer.analyzer.keeping.heard_windows import HeardWindows
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.making_room import RoomMaker
from streamer.analyzer.keeping.matching import RuleBook, names_nothing
from streamer.analyzer.keeping.memory import KeepsAudio, give_memory
from streamer.analyzer.keeping.near_duplicates import NearDuplicates
from streamer.analyzer.keeping.rule_reader import RuleReader
from streamer.analyzer.keeping.selection import Selector
from streamer.analyzer.keeping.waiting import VERDICT_PATIENCE_S, AudioSource, WaitingClips
from streamer.analyzer.keeping.writer import ClipWriter
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import WindowResult
from tidzam_platform.clips.rules import MAX_LENGTH_S
from tidzam_platform.clips.rules_store import StoredRule
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

MAX_INBOX: Final = 20_000  # results that wait: many seconds of hundreds of channels
SPOOL: Final = "spool/clips"  # of the home
_LOOK_S: Final = 0.1
_MB: Final = 1_000_000
_LOG = logging.getLogger(__name__)


class History(AudioSource, KeepsAudio, Protocol):
    """The audio of the last seconds: ``streamer.analyzer.hearing.history.AudioHistory``."""


class ClipKeeper:
    """Keeps clips by the rules of the catalog. Started and stopped once; its methods are for any thread.

    Three threads: one looks at results and gathers audio, one writes, one reads rules and counts.

    Args:
        home: catalog and store.
        settings: the section ``clips``, and where the home is.
        history: the audio of the last seconds.
        tell: told ``clip_kept``, ``clip_skipped`` and ``disk_alarm`` with what they say; must not block.
        draws: of the rates.
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        history: History,
        *,
        tell: Callable[..., None] = lambda _name, **_what: None,
        draws: random.Random | None = None,
    ) -> None:
        """Raises OSError where the spool cannot be made."""
        self._history = history
        folder = settings.home / SPOOL
        folder.mkdir(parents=True, exist_ok=True)
        how = settings.clips
        self._disk = DiskWatch((folder, settings.store_folder), how.disk_reserve_mb * _MB, tell)
        self._ledger, self._near = Ledger(), NearDuplicates()
        room = RoomMaker(home, self._disk, folder, how)
        self._writer = ClipWriter(home, folder, self._ledger, self._disk, room, tell)
        self._reader = RuleReader(home.catalog, self._ledger, self._on_rules)
        self._selector = Selector(self._ledger, self._near, draws or random.Random())  # noqa: S311 - no secret
        self._finisher = ClipFinisher(self._selector, self._writer, tell)
        self._heard = HeardWindows(MAX_LENGTH_S + VERDICT_PATIENCE_S)
        self._waiting = WaitingClips(history, self._heard)
        self._disagreements = Disagreements()
        self._rules: tuple[StoredRule, ...] = ()
        self._refused: dict[int, str] = {}
        self._problems: dict[int, str] = {}
        self._thresholds: Mapping[str, float] = {}
        self._book = RuleBook()
        self._arrived = threading.Condition()
        self._inbox: deque[WindowResult | Disagreement] = deque()
        self._new_rules: tuple[StoredRule, ...] | None = None
        self._new_thresholds: Mapping[str, float] | None = None
        self._counts = Counter[str]()
        self._stopping = threading.Event()
        self._rules_known = threading.Event()
        self._guard = LoopGuard("keeping clips", self._stopping.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-clip-keeper", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._writer.start()
        self._reader.start()
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End: clips that wait for audio are given up, those that have theirs are written. Whether it ended in time."""
        end_s = time.monotonic() + timeout_s
        self._stopping.set()
        with self._arrived:
            self._arrived.notify_all()
        if self._thread.ident is not None:
            self._thread.join(max(0.1, end_s - time.monotonic()))
        stopped = self._reader.stop(max(0.1, end_s - time.monotonic()))
        stopped &= self._writer.stop(max(0.1, end_s - time.monotonic()))
        return stopped and not self._thread.is_alive()

    def on_result(self, result: WindowResult) -> None:
        """A window was heard. Never blocks: where too many wait, the oldest is dropped and counted."""
        self._put(result)

    def on_disagreement(self, channel: str, start: datetime, class_path: str) -> None:
        """The canary took a window for ``class_path``, the stable generation did not; before or after its result.

        ``start`` is the window's, aware, to the millisecond.
        """
        self._put(Disagreement(channel, start, class_path))

    def on_thresholds(self, thresholds: Mapping[str, float]) -> None:
        """The thresholds of the served classes, by path: what reaches them counts as heard for rules that forbid."""
        with self._arrived:
            self._new_thresholds = dict(thresholds)

    def wait_for_rules(self, timeout_s: float) -> bool:
        """Wait until the catalog's rules hold; False if they do not by then."""
        return self._rules_known.wait(timeout_s)

    @property
    def wants_embeddings(self) -> bool:
        """Whether a rule compares sounds: results should come with their embeddings."""
        return self._book.wants_embeddings

    @property
    def wants_disagreements(self) -> bool:
        """Whether a rule asks what the canary said."""
        return self._book.wants_disagreements

    def status(self) -> dict[str, Any]:
        """For people."""
        kept, refused, problems = self._ledger.rules(), self._refused, self._problems
        return {
            "is_running": self._thread.is_alive() and self._writer.is_running and self._reader.is_running,
            "rules": [
                {
                    "id": rule.id,
                    "clips": kept.get(rule.id, 0),
                    **({"refused": refused[rule.id]} if rule.id in refused else {}),
                    **({"problem": problems[rule.id]} if rule.id in problems else {}),
                }
                for rule in self._rules
            ],
            "waiting": len(self._waiting),
            "disk": self._disk.status(),
            **self._writer.status(),
            "rules_problem": self._reader.problem,
        }

    def counts(self) -> dict[str, Any]:
        """Counters, for metrics; ``skipped`` by reason."""
        return {
            "results": self._counts["results"],
            "dropped_results": self._counts["dropped"],
            "chosen": self._counts["chosen"],
            "skipped": dict(self._finisher.skipped),
            "waiting": len(self._waiting),
            "held_bytes": self._waiting.held_bytes + self._near.memory_bytes,
            "rule_failures": self._reader.failures,
            "disk_alarms": self._disk.alarms,
            "faults": self._guard.faults + self._writer.faults + self._reader.faults,
            **self._writer.counts(),
        }

    def _put(self, item: WindowResult | Disagreement) -> None:
        with self._arrived:
            if len(self._inbox) >= MAX_INBOX:
                self._inbox.popleft()
                self._counts["dropped"] += 1
            self._inbox.append(item)
            self._arrived.notify()

    def _on_rules(self, rules: tuple[StoredRule, ...]) -> None:
        with self._arrived:
            self._new_rules = rules
            self._arrived.notify()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._guard:
                self._turn()
        for chosen in self._waiting.give_up_all():
            with self._guard:
                self._selector.give_up(chosen)

    def _turn(self) -> None:
        with self._arrived:
            if not self._inbox and self._new_rules is None:
                self._arrived.wait(_LOOK_S)
            items, self._inbox = self._inbox, deque()
            rules, self._new_rules = self._new_rules, None
            thresholds, self._new_thresholds = self._new_thresholds, None
        if rules is not None or thresholds is not None:
            self._follow_or_keep_nothing(rules, thresholds)
        for item in items:
            try:
                self._hear(item)
            except Exception as error:  # noqa: BLE001 - one window must not cost those that follow
                self._guard.note(error)
        for settled in self._waiting.settled(time.monotonic()):
            try:
                self._finisher.finish(settled)
            except Exception as error:  # noqa: BLE001 - nor one clip
                self._guard.note(error)
        self._disk.look()

    def _hear(self, item: WindowResult | Disagreement) -> None:
        if isinstance(item, WindowResult):
            self._take(item)
        elif (result := self._disagreements.result_of(item)) is not None:
            self._choose(result, item.class_path, asks_canary=True)

    def _follow_or_keep_nothing(
        self, rules: tuple[StoredRule, ...] | None, thresholds: Mapping[str, float] | None
    ) -> None:
        """Follow; what cannot be followed is tried again, and no clip is kept until then: it may forbid."""
        try:
            self._follow(rules, thresholds)
        except Exception as error:  # noqa: BLE001 - said and counted
            self._guard.note(error)
            self._book = RuleBook()
            for chosen in self._waiting.give_up_all():
                self._selector.give_up(chosen)
            with self._arrived:
                self._new_rules = rules if self._new_rules is None else self._new_rules
                self._new_thresholds = thresholds if self._new_thresholds is None else self._new_thresholds
            self._stopping.wait(_LOOK_S)

    def _follow(self, rules: Sequence[StoredRule] | None, thresholds: Mapping[str, float] | None) -> None:
        """Other rules, or another generation's thresholds, from now on."""
        if rules is not None:
            self._rules, self._refused = tuple(rules), give_memory(self._history, rules)
        others = thresholds is not None and thresholds != self._thresholds
        if thresholds is not None:
            self._thresholds = thresholds
        before = self._book.forbidding
        self._book = RuleBook(
            [rule for rule in self._rules if rule.id not in self._refused], self._thresholds
        )
        self._note_problems()
        if self._book.forbidding != before or (before and others):
            self._heard.clear()
            self._waiting.guard(lambda channel: bool(self._book.of(channel).forbidding))
        if rules is not None:
            self._rules_known.set()

    def _note_problems(self) -> None:
        """Rules that forbid what the generation in service has no class for: their channels give no clips."""
        problems = {}
        for rule in self._book.forbidding if self._thresholds else ():
            if names_nothing(rule.spec, self._thresholds):
                problems[rule.id] = (
                    f"the generation in service has no class {' or '.join(rule.spec.classes)}, so nobody can tell "
                    f"whether it is heard: no clips are kept of {', '.join(rule.spec.channels)} until one has it; "
                    "name one of its classes, or remove the rule"
                )
        for rule_id, problem in problems.items():
            if self._problems.get(rule_id) != problem:
                _LOG.error("rule %d: %s", rule_id, problem)
        self._problems = problems

    def _take(self, result: WindowResult) -> None:
        self._counts["results"] += 1
        rules = self._book.of(result.key.channel)
        is_forbidden = any(matcher.hears(result) for matcher in rules.forbidding)
        if rules.forbidding:
            self._heard.note(result.key, is_forbidden)
        if is_forbidden:
            return
        canary = self._disagreements.of_result(result) if self._book.wants_disagreements else None
        self._choose(result, canary, asks_canary=False)

    def _choose(self, result: WindowResult, canary: str | None, *, asks_canary: bool) -> None:
        rules = self._book.of(result.key.channel)
        chosen = self._selector.choose(result, rules, canary=canary, asks_canary=asks_canary)
        if chosen is None:
            return
        self._counts["chosen"] += 1
        if not self._writer.accepts:
            self._finisher.skip(chosen, NO_ROOM)
        elif not self._waiting.add(chosen, time.monotonic(), is_guarded=bool(rules.forbidding)):
            self._finisher.skip(chosen, BUSY)
