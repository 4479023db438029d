"""The recorder of clips: results of windows in, clips in store and catalog out. Nobody waits for it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from streamer.analyzer.keeping.cutting import ClipCutter
from streamer.analyzer.keeping.disagreements import Disagreement
from streamer.analyzer.keeping.disk_watch import DiskWatch
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.making_room import RoomMaker
from streamer.analyzer.keeping.matching import forbidden_by, names_nothing
from streamer.analyzer.keeping.memory import KeepsAudio, give_memory
from streamer.analyzer.keeping.rule_reader import RuleReader
from streamer.analyzer.keeping.waiting import AudioSource
from streamer.analyzer.keeping.writer import ClipWriter
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import WindowResult
from tidzam_platform.clips.reading_rules import UnreadableRule
from tidzam_platform.clips.rules_store import RulesRead, StoredRule
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

MAX_INBOX: Final = 20_000  # results that wait: many seconds of hundreds of channels
SPOOL: Final = "spool/clips"  # of the home
MEMORY_S: Final = 5.0  # until it is asked again whether there is memory for rules that were refused it
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
        folders = (folder,) if settings.store else (folder, settings.store_folder)
        self._disk = DiskWatch(folders, how.disk_reserve_mb * _MB, tell)
        self._ledger = Ledger()
        room = RoomMaker(home, self._disk, folder, how)
        self._writer = ClipWriter(home, folder, self._ledger, self._disk, room, tell)
        self._reader = RuleReader(home.catalog, self._ledger, self._on_rules)
        self._cutter = ClipCutter(
            history,
            self._ledger,
            self._writer,
            tell,
            draws or random.Random(),  # noqa: S311 - no secret
        )
        self._rules: tuple[StoredRule, ...] = ()
        self._unreadable: tuple[UnreadableRule, ...] = ()
        self._refused: dict[int, str] = {}
        self._ask_again_s = float("-inf")
        self._problems: dict[int, str] = {}
        self._thresholds: Mapping[str, float] = {}
        self._arrived = threading.Condition()
        self._inbox: deque[WindowResult | Disagreement] = deque()
        self._new_rules: RulesRead | None = None
        self._new_thresholds: Mapping[str, float] | None = None
        self._dropped = 0
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
            self._thread.join(timeout_s / 3)  # the most of it is for the writer
        stopped = self._reader.stop(timeout_s / 6)
        stopped &= self._writer.stop(max(0.0, end_s - time.monotonic()))
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
        return self._cutter.book.wants_embeddings

    @property
    def wants_disagreements(self) -> bool:
        """Whether a rule asks what the canary said."""
        return self._cutter.book.wants_disagreements

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
            "unreadable_rules": [{"id": rule.id, "problem": rule.problem} for rule in self._unreadable],
            "waiting": self._cutter.waiting,
            "disk": self._disk.status(),
            **self._writer.status(),
            "rules_problem": self._reader.problem,
        }

    def counts(self) -> dict[str, Any]:
        """Counters, for metrics; ``skipped`` by reason."""
        return {
            **self._cutter.counts(),
            "dropped_results": self._dropped,
            "rule_failures": self._reader.failures,
            "disk_alarms": self._disk.alarms,
            "faults": self._guard.faults + self._writer.faults + self._reader.faults,
            **self._writer.counts(),
        }

    def _put(self, item: WindowResult | Disagreement) -> None:
        with self._arrived:
            if len(self._inbox) >= MAX_INBOX:
                self._inbox.popleft()
                self._dropped += 1
            self._inbox.append(item)
            self._arrived.notify()

    def _on_rules(self, rules: RulesRead) -> None:
        with self._arrived:
            self._new_rules = rules
            self._arrived.notify()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._guard:
                self._turn()
        with self._guard:
            self._cutter.give_up_all()

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
                if isinstance(item, WindowResult):
                    self._cutter.take(item)
                else:
                    self._cutter.disagree(item)
            except Exception as error:  # noqa: BLE001 - one window must not cost those that follow
                self._guard.note(error)
        self._cutter.settle(time.monotonic(), self._guard.note)
        self._ask_for_memory_again()
        self._disk.look()

    def _follow_or_keep_nothing(
        self, rules: RulesRead | None, thresholds: Mapping[str, float] | None
    ) -> None:
        """Follow; what cannot be followed is tried again, and no clip is kept until then: it may forbid."""
        try:
            self._follow(rules, thresholds)
        except Exception as error:  # noqa: BLE001 - said and counted
            self._guard.note(error)
            self._cutter.keep_nothing()
            with self._arrived:
                self._new_rules = rules if self._new_rules is None else self._new_rules
                self._new_thresholds = thresholds if self._new_thresholds is None else self._new_thresholds
            self._stopping.wait(_LOOK_S)

    def _follow(self, rules: RulesRead | None, thresholds: Mapping[str, float] | None) -> None:
        """Other rules, or another generation's thresholds, from now on."""
        if rules is not None:
            self._give_memory(rules.readable)
            self._rules, self._unreadable = rules
        if thresholds is not None:
            self._thresholds = thresholds
        standing = [rule for rule in self._rules if rule.id not in self._refused]
        self._cutter.follow([*standing, *forbidden_by(self._unreadable)], self._thresholds)
        self._note_problems()
        if rules is not None:
            self._rules_known.set()

    def _give_memory(self, rules: Sequence[StoredRule]) -> bool:
        """Have kept what the rules need; returns whether others are refused now than before."""
        before, self._refused = self._refused, give_memory(self._history, rules)
        self._ask_again_s = time.monotonic() + MEMORY_S
        for rule_id in self._refused.keys() - before.keys():
            _LOG.warning("rule %d keeps nothing: %s", rule_id, self._refused[rule_id])
        return self._refused.keys() != before.keys()

    def _ask_for_memory_again(self) -> None:
        """Channels may have gone since rules were refused for want of memory."""
        if self._refused and time.monotonic() >= self._ask_again_s and self._give_memory(self._rules):
            self._follow(None, None)

    def _note_problems(self) -> None:
        """Rules that forbid what the generation in service has no class for: their channels give no clips."""
        problems = {}
        for rule in self._cutter.book.forbidding if self._thresholds else ():
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
