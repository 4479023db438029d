"""The rules and counts of the catalog, looked at every few seconds, whatever the disk of the clips does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.loop_guard import LoopGuard
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips.counting import clips_per_class, clips_per_rule
from tidzam_platform.clips.rules_store import RulesRead, read_rules
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import TidzamError

RULES_S: Final = 2.0
COUNTS_S: Final = 30.0
_LOG = logging.getLogger(__name__)


class RuleReader:
    """A thread. While the catalog does not answer, the rules that were read last hold. Started and stopped once.

    Args:
        catalog: what is read.
        ledger: gets the counts.
        on_rules: gets the rules that stand when they are others than before; the first time in any case. Those that
            cannot be read are told in the log as well.
        now: the time of day.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        on_rules: Callable[[RulesRead], None],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._catalog, self._ledger, self._on_rules, self._now = catalog, ledger, on_rules, now
        self._rules: RulesRead | None = None
        self._counted_s = float("-inf")
        self._stopping = threading.Event()
        self.failures = 0
        self.problem = ""
        self._guard = LoopGuard("reading the rules of clips", self._stopping.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-clip-rules", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    @property
    def is_running(self) -> bool:
        """Whether its thread works."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> bool:
        """End; returns whether it ended in time."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._guard:
                try:
                    self._read()
                    self.problem = ""
                except (TidzamError, SQLAlchemyError) as error:
                    self.failures += 1
                    self.problem = f"the rules cannot be read, those of before hold: {error}"
                    _LOG.warning("%s", self.problem)
            self._stopping.wait(RULES_S)

    def _read(self) -> None:
        rules = read_rules(self._catalog)
        is_new = rules != self._rules
        if is_new or time.monotonic() - self._counted_s >= COUNTS_S:
            mark = self._ledger.mark()
            day_starts = {rule.id: rule.spec.day_start(self._now()) for rule in rules.readable}
            of_rules = clips_per_rule(self._catalog, day_starts)
            self._ledger.replace(clips_per_class(self._catalog), of_rules, mark)
            self._counted_s = time.monotonic()
        if is_new:  # after the counts, by which they are judged
            self._on_rules(rules)
            known = self._rules.unreadable if self._rules else ()
            self._rules = rules
            for rule in rules.unreadable:
                if rule not in known:
                    _LOG.error("rule %d: %s", rule.id, rule.problem)
