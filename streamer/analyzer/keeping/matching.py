"""Rules made quick: what a window is kept for, and whether it holds what must not be kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.windows import WindowResult
from tidzam_platform.clips.reading_rules import UnreadableRule
from tidzam_platform.clips.rules import EVERYTHING, FORBIDDEN_SCORE, RecorderRuleSpec
from tidzam_platform.clips.rules_store import StoredRule
from tidzam_platform.labels.class_paths import NO_SIGNAL, UNKNOWN, is_within, parent

_NO_COLUMNS: Final = np.array([], np.int64)


@dataclass(frozen=True, slots=True)
class Match:
    """What a clip would be kept for."""

    class_path: str
    score: float


class RuleMatcher:
    """One rule that keeps. For one thread."""

    def __init__(self, rule: StoredRule) -> None:
        self.rule = rule
        self._spec = rule.spec
        self._named: dict[str, bool] = {}
        self._paths: tuple[str, ...] = ()
        self._columns = self._leaves = _NO_COLUMNS

    def match(self, result: WindowResult, *, canary_differs: bool) -> Match | None:
        """What ``result`` would be kept for, by class, score, uncertainty and disagreement alone."""
        spec = self._spec
        if spec.disagreement and not canary_differs:
            return None
        if result.paths is not self._paths:
            self._learn(result.paths)
        found = self._match_class(result)
        if found is None:
            return None
        if spec.uncertainty is not None and _lead(result.scores[self._leaves]) >= spec.uncertainty:
            return None
        return found

    def _match_class(self, result: WindowResult) -> Match | None:
        """The answer, if it is one of the classes and in the range; with a range else the best class that is in it."""
        answer, bounds = result.answer, self._spec.score
        if self._names(answer.class_path) and (bounds is None or bounds[0] <= answer.score <= bounds[1]):
            return Match(answer.class_path, answer.score)
        # Where it is too quiet the scores say nothing; and "everything" means the answer.
        if bounds is None or EVERYTHING in self._spec.classes or is_within(answer.class_path, NO_SIGNAL):
            return None
        scores = result.scores[self._columns]
        inside = np.flatnonzero((scores >= bounds[0]) & (scores <= bounds[1]))
        if not len(inside):
            return None
        best = int(inside[scores[inside].argmax()])
        return Match(result.paths[int(self._columns[best])], float(scores[best]))

    def _names(self, path: str) -> bool:
        known = self._named.get(path)
        if known is None:
            known = self._named[path] = self._spec.names_class(path)
        return known

    def _learn(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._named.clear()
        self._columns = _columns(self._spec, paths)
        inner = {parent(path) for path in paths}
        self._leaves = np.array([at for at, path in enumerate(paths) if path not in inner], np.int64)


class ForbidMatcher:
    """One rule that forbids. For one thread.

    A class counts as heard if it is the answer, or if its score reaches the rule's lower end; where the rule names
    none, 0.3 or the class's own threshold, whichever is lower. Where the generation has none of its classes nobody can
    tell: each window counts as one that holds it.
    """

    def __init__(self, rule: StoredRule, thresholds: Mapping[str, float]) -> None:
        self.rule = rule
        self._spec, self._thresholds = rule.spec, thresholds
        self._paths: tuple[str, ...] = ()
        self._columns = _NO_COLUMNS
        self._bounds = np.array([], np.float32)
        self._is_deaf = False

    def hears(self, result: WindowResult) -> bool:
        """Whether the window holds what must not be kept."""
        if not self._spec.holds_at(result.key.start):
            return False
        if self._spec.names_class(result.answer.class_path):
            return True
        if result.paths is not self._paths:
            self._learn(result.paths)
        # What is no number is not known to be low.
        return self._is_deaf or bool(np.any(~(result.scores[self._columns] < self._bounds)))

    def _learn(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._columns = _columns(self._spec, paths)
        self._is_deaf = names_nothing(self._spec, paths)
        self._bounds = np.array([self._bound(paths[at]) for at in self._columns], np.float32)

    def _bound(self, path: str) -> float:
        if self._spec.score is not None:
            return self._spec.score[0]
        return min(FORBIDDEN_SCORE, self._thresholds.get(path, FORBIDDEN_SCORE))


@dataclass(frozen=True)
class ChannelRules:
    """The rules of one channel, the oldest first."""

    keeping: tuple[RuleMatcher, ...]
    forbidding: tuple[ForbidMatcher, ...]


class RuleBook:
    """The rules that stand now, by channel. For one thread.

    Args:
        rules: that stand, the oldest first.
        thresholds: of the served classes, by path.
    """

    def __init__(
        self, rules: Sequence[StoredRule] = (), thresholds: Mapping[str, float] | None = None
    ) -> None:
        self.rules = tuple(rules)
        self._thresholds = dict(thresholds or {})
        self._channels: dict[str, ChannelRules] = {}

    @property
    def forbidding(self) -> list[StoredRule]:
        """The rules that forbid."""
        return [rule for rule in self.rules if rule.spec.forbid]

    @property
    def wants_embeddings(self) -> bool:
        """Whether some rule compares sounds by their embeddings."""
        return any(rule.spec.distinct > 0 for rule in self.rules)

    @property
    def wants_disagreements(self) -> bool:
        """Whether some rule asks what the canary said."""
        return any(rule.spec.disagreement for rule in self.rules)

    def of(self, channel: str) -> ChannelRules:
        """The rules that look at ``channel``."""
        known = self._channels.get(channel)
        if known is None:
            concerned = [rule for rule in self.rules if rule.spec.concerns(channel)]
            known = self._channels[channel] = ChannelRules(
                tuple(RuleMatcher(rule) for rule in concerned if not rule.spec.forbid),
                tuple(ForbidMatcher(rule, self._thresholds) for rule in concerned if rule.spec.forbid),
            )
        return known


def forbidden_by(rules: Iterable[UnreadableRule]) -> list[StoredRule]:
    """Rules that forbid everything, in place of those that cannot be read and may forbid something."""
    return [
        StoredRule(rule.id, spec, rule.made_by, rule.made_at, rule.removed_at)
        for rule in rules
        if (spec := rule.stand_in()) is not None
    ]


def names_nothing(spec: RecorderRuleSpec, paths: Iterable[str]) -> bool:
    """Whether a rule names neither one of these classes nor what every generation may answer."""
    return not any(spec.names_class(path) for path in (*paths, UNKNOWN, NO_SIGNAL))


def _columns(spec: RecorderRuleSpec, paths: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([at for at, path in enumerate(paths) if spec.names_class(path)], np.int64)


def _lead(scores: NDArray[np.float32]) -> float:
    """How far the best is before the second."""
    if len(scores) < 2:
        return float(scores.max(initial=0.0))
    second, best = np.partition(scores, len(scores) - 2)[-2:]
    return float(best - second)
