"""Results of windows in, clips in a folder out."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from streamer.analyzer.extraction.folder_writer import FolderWriter, WrittenClip, count_clips
from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.keeping.cutting import ClipCutter
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.matching import forbidden_by
from streamer.analyzer.keeping.memory import give_memory
from streamer.analyzer.keeping.waiting import VERDICT_PATIENCE_S
from streamer.analyzer.windows import WindowResult
from streamer.engine.reserved_names import LIVE_STREAMS
from tidzam_platform.clips.counting import RuleCounts
from tidzam_platform.clips.preroll import preroll_s
from tidzam_platform.clips.rules import AUTO
from tidzam_platform.clips.rules_store import StoredRule, read_rules
from tidzam_platform.errors import RuleError, TidzamError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

RULES_S: Final = 2.0
_LAST_LOOKS: Final = 3  # a clip at both ends of a short run is moved twice
_MB: Final = 1_000_000
_LOG = logging.getLogger(__name__)


class Extraction:
    """A context, entered once; for one thread.

    What rules of the catalog forbid is not kept here either; they are read again every two seconds. What people send in
    live streams is never kept. ``auto`` weighs by the clips of the folder.

    Args:
        settings: of everything.
        rules: as ``extraction_rules`` makes them.
        folder: where clips go; it is made.
        waits: whether a slow disk delays the hearing, as is right for files, or costs clips.
        draws: of the rates.
    """

    def __init__(
        self,
        settings: Settings,
        rules: Sequence[StoredRule],
        folder: Path,
        *,
        waits: bool,
        draws: random.Random | None = None,
    ) -> None:
        self._settings, self._rules = settings, tuple(rules)
        self._draws = draws or random.Random()  # noqa: S311 - no secret
        self._ledger = Ledger()
        self._writer = FolderWriter(folder, self._ledger, waits=waits)
        if any(rule.spec.rate == AUTO for rule in rules):
            self._ledger.replace(count_clips(folder), RuleCounts({}, {}), self._ledger.mark())
        self._home: Home | None = None
        self._forbidding: list[StoredRule] = []
        self._read_s = float("-inf")
        self._thresholds: Mapping[str, float] = {}
        self._cutter: ClipCutter | None = None
        self._skipped = Counter[str]()

    def __enter__(self) -> Self:
        self._home = Home.open(self._settings)
        try:
            self._read_forbidding()
        except BaseException:
            self._home.catalog.close()
            raise
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_cutter()
        self._writer.stop()
        self.home.catalog.close()

    @property
    def home(self) -> Home:
        """The data folder, while the context lasts."""
        if self._home is None:
            raise RuntimeError("an extraction is a context: enter it first")
        return self._home

    @property
    def skipped(self) -> dict[str, int]:
        """Windows that were chosen and gave no clip, by reason (docs/clips.md)."""
        current = Counter(self._cutter.counts()["skipped"] if self._cutter else {})
        return dict(self._skipped + current)

    def history(self, *, extra_s: float = 0.0) -> AudioHistory:
        """A history that keeps what the rules need, and so much more.

        Raises:
            RuleError: that is more memory than ``clips.preroll_mb``.
        """
        history = AudioHistory(self._settings.clips.preroll_mb * _MB)
        refused = give_memory(history, self._rules)
        for why in refused.values():
            raise RuleError(why)
        if extra_s:
            history.keep(
                {
                    pattern: max(preroll_s(rule.spec) for rule in self._rules) + extra_s
                    for rule in self._rules
                    for pattern in rule.spec.channels
                }
            )
        return history

    def begin(
        self,
        history: AudioHistory,
        thresholds: Mapping[str, float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Other audio from now on: ``clock`` counts as ``WindowKey.ended_s`` does."""
        self._end_cutter()
        self._thresholds = dict(thresholds)
        self._cutter = ClipCutter(
            history, self._ledger, self._writer, lambda _name, **_what: None, self._draws, clock=clock
        )
        self._cutter.follow([*self._rules, *self._forbidding], self._thresholds)

    def hear(self, result: WindowResult) -> None:
        """A window was heard."""
        if self._cutter is not None and result.key.run.source != LIVE_STREAMS:
            self._cutter.take(result)

    def settle(self, now_s: float) -> Iterator[WrittenClip]:
        """Cut what waits no more; returns what was written since, of which ``__exit__`` may leave some.

        Raises:
            OSError, TidzamError: the folder takes no clips.
        """
        if self._cutter is not None:
            self._follow_forbidding(self._cutter)
            self._cutter.settle(now_s, _raise)
        return self._writer.written()

    def settle_all(self, now_s: float) -> None:
        """No more audio comes: cut what can be cut."""
        if self._cutter is None:
            return
        for look in range(1, _LAST_LOOKS + 1):
            self._cutter.settle(now_s + 2 * look * VERDICT_PATIENCE_S, _raise)

    def written(self) -> Iterator[WrittenClip]:
        """What was written since this was asked last; also after the context."""
        return self._writer.written()

    def _end_cutter(self) -> None:
        if self._cutter is not None:
            self._cutter.give_up_all()
            self._skipped = Counter(self.skipped)
            self._cutter = None

    def _follow_forbidding(self, cutter: ClipCutter) -> None:
        if time.monotonic() - self._read_s < RULES_S:
            return
        before = self._forbidding
        try:
            self._read_forbidding()
        except (TidzamError, SQLAlchemyError) as error:
            _LOG.warning("what rules forbid cannot be read, what they said before holds: %s", error)
        if self._forbidding != before:
            cutter.follow([*self._rules, *self._forbidding], self._thresholds)

    def _read_forbidding(self) -> None:
        self._read_s = time.monotonic()
        readable, unreadable = read_rules(self.home.catalog)
        self._forbidding = [*(rule for rule in readable if rule.spec.forbid), *forbidden_by(unreadable)]


def _raise(error: Exception) -> None:
    raise error
