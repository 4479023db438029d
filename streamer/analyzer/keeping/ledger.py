"""How many clips there are, up to this moment: what the catalog said last, and the keeper's own since."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping

from tidzam_platform.clips.auto_rate import is_class, rate_of
from tidzam_platform.clips.counting import RuleCounts
from tidzam_platform.labels.class_paths import parent


class Ledger:
    """Counts by class and by rule. For any thread.

    A clip counts from the moment at which it is chosen, so that channels that hear one sound together do not all take
    it for rare; one that is given up counts no more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_parent: dict[str | None, Counter[str]] = {}
        self._of_rule = Counter[int]()
        self._today = Counter[int]()
        self._underway = Counter[tuple[str, int]]()
        self._recorded: deque[tuple[int, str, int]] = deque()  # since the catalog was asked last
        self._number = 0

    def choose(self, class_path: str, rule_id: int) -> None:
        """A clip is on its way."""
        with self._lock:
            self._underway[class_path, rule_id] += 1
            self._add(class_path, rule_id, 1)

    def give_up(self, class_path: str, rule_id: int) -> None:
        """A clip that was on its way is not kept, or was there before."""
        with self._lock:
            if self._arrived(class_path, rule_id):
                self._add(class_path, rule_id, -1)

    def record(self, class_path: str, rule_id: int) -> None:
        """A clip that was on its way is in the catalog."""
        with self._lock:
            if not self._arrived(class_path, rule_id):  # it was chosen by a process that is gone
                self._add(class_path, rule_id, 1)
            self._number += 1
            self._recorded.append((self._number, class_path, rule_id))

    def mark(self) -> int:
        """Call this before the catalog is asked, for ``replace``."""
        with self._lock:
            return self._number

    def replace(self, classes: Mapping[str, int], rules: RuleCounts, mark: int) -> None:
        """What the catalog says, asked after ``mark``. Clips that were recorded since then are added."""
        with self._lock:
            while self._recorded and self._recorded[0][0] <= mark:
                self._recorded.popleft()
            self._by_parent = {}
            for path, number in classes.items():
                self._count(path, number)
            self._of_rule, self._today = Counter(rules.total), Counter(rules.today)
            for (path, rule_id), number in self._underway.items():
                self._add(path, rule_id, number)
            for _, path, rule_id in self._recorded:
                self._add(path, rule_id, 1)

    def rate(self, class_path: str, at_least: int) -> float:
        """The rate ``auto`` of a class now."""
        with self._lock:
            siblings = self._by_parent.get(parent(class_path), Counter())
            most = max((number for path, number in siblings.items() if is_class(path)), default=0)
            return rate_of(class_path, siblings[class_path], most, at_least)

    def has_room(self, rule_id: int, daily: int | None, total: int | None) -> bool:
        """Whether the quotas of a rule let another clip be kept."""
        with self._lock:
            return (daily is None or self._today[rule_id] < daily) and (
                total is None or self._of_rule[rule_id] < total
            )

    def classes(self) -> dict[str, int]:
        """Clips by class."""
        with self._lock:
            counters = list(self._by_parent.values())
            return {path: number for counter in counters for path, number in counter.items() if number}

    def rules(self) -> dict[int, int]:
        """Clips by rule."""
        with self._lock:
            return {rule_id: number for rule_id, number in self._of_rule.items() if number}

    def _arrived(self, class_path: str, rule_id: int) -> bool:
        key = (class_path, rule_id)
        if not self._underway[key]:
            del self._underway[key]
            return False
        self._underway[key] -= 1
        if not self._underway[key]:
            del self._underway[key]
        return True

    def _add(self, class_path: str, rule_id: int, number: int) -> None:
        self._count(class_path, number)
        self._of_rule[rule_id] += number
        self._today[rule_id] += number

    def _count(self, class_path: str, number: int) -> None:
        self._by_parent.setdefault(parent(class_path), Counter())[class_path] += number
