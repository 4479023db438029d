"""Which windows a clip is made of: what the rules say, pauses, quotas, the draw of the rate, near-duplicates."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.matching import ChannelRules, Match
from streamer.analyzer.keeping.near_duplicates import NearDuplicates
from streamer.analyzer.windows import WindowResult
from tidzam_platform.clips.rules import AUTO, RecorderRuleSpec
from tidzam_platform.clips.rules_store import StoredRule

MAX_PAUSES: Final = 100_000  # channels times rules that are remembered, the newest


@dataclass(frozen=True)
class Chosen:
    """A window that is worth a clip of ``rule``."""

    result: WindowResult
    rule: StoredRule
    match: Match
    canary: str | None

    @property
    def spec(self) -> RecorderRuleSpec:
        """Of the rule."""
        return self.rule.spec


class Selector:
    """For one thread.

    Args:
        ledger: counts of clips; what is chosen is on its way there.
        near: embeddings of what was kept.
        draws: of the rate.
    """

    def __init__(self, ledger: Ledger, near: NearDuplicates, draws: random.Random) -> None:
        self._ledger, self._near, self._draws = ledger, near, draws
        self._paused_from: OrderedDict[tuple[int, str], datetime] = OrderedDict()

    def choose(
        self,
        result: WindowResult,
        rules: ChannelRules,
        *,
        canary: str | None = None,
        asks_canary: bool = False,
    ) -> Chosen | None:
        """The first rule, by age, that takes the window: a window gives one clip.

        Args:
            result: of the window.
            rules: of its channel.
            canary: what the canary took it for, where that differs.
            asks_canary: only rules that ask for disagreement look at it: the others have done so before.
        """
        for matcher in rules.keeping:
            spec = matcher.rule.spec
            if asks_canary and not spec.disagreement:
                continue
            match = matcher.match(result, canary_differs=canary is not None)
            if match is None or not spec.holds_at(result.key.start):
                continue
            if self._pauses(matcher.rule, result):
                continue
            if not self._ledger.has_room(matcher.rule.id, spec.daily_quota, spec.total_quota):
                continue
            rate = (
                self._ledger.rate(match.class_path, spec.at_least) if spec.rate == AUTO else float(spec.rate)
            )
            if self._draws.random() >= rate:
                continue
            chosen = Chosen(result, matcher.rule, match, canary if spec.disagreement else None)
            if self.is_near_duplicate(chosen):
                continue
            self._pause(chosen)
            self._ledger.choose(match.class_path, matcher.rule.id)
            return chosen
        return None

    def is_near_duplicate(self, chosen: Chosen) -> bool:
        """Whether a sound like it was kept just now, if the rule asks for that."""
        embedding = chosen.result.embedding
        if chosen.spec.distinct <= 0 or embedding is None:
            return False
        key = chosen.result.key
        distance = self._near.distance(
            key.channel, chosen.match.class_path, chosen.result.generation, embedding
        )
        return distance < chosen.spec.distinct

    def keep(self, chosen: Chosen) -> None:
        """Its audio goes to the disk."""
        if chosen.spec.distinct > 0 and chosen.result.embedding is not None:
            self._near.remember(
                chosen.result.key.channel,
                chosen.match.class_path,
                chosen.result.generation,
                chosen.result.embedding,
            )

    def give_up(self, chosen: Chosen, *, ends_pause: bool = True) -> None:
        """It is not kept; the channel need not pause for it."""
        self._ledger.give_up(chosen.match.class_path, chosen.rule.id)
        key = (chosen.rule.id, chosen.result.key.channel)
        if ends_pause and self._paused_from.get(key) == chosen.result.key.start:
            del self._paused_from[key]

    def _pauses(self, rule: StoredRule, result: WindowResult) -> bool:
        """Whether the channel pauses after a clip of this rule, or before it: windows that waited on disk come late."""
        since = self._paused_from.get((rule.id, result.key.channel))
        return since is not None and abs(result.key.start - since) < timedelta(seconds=rule.spec.pause_s)

    def _pause(self, chosen: Chosen) -> None:
        key = (chosen.rule.id, chosen.result.key.channel)
        self._paused_from[key] = chosen.result.key.start
        self._paused_from.move_to_end(key)
        if len(self._paused_from) > MAX_PAUSES:
            self._paused_from.popitem(last=False)
