"""Memory for the audio before a detection: which rules have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tidzam_platform.clips.preroll import preroll_s
from tidzam_platform.clips.rules_store import StoredRule
from tidzam_platform.errors import RuleError


class KeepsAudio(Protocol):
    """What keeps the audio of the last seconds."""

    def keep(self, seconds_of: Mapping[str, float]) -> None:
        """Keep so many seconds of the channels of each pattern; RuleError, and no change, if that is too much."""


def give_memory(history: KeepsAudio, rules: Sequence[StoredRule]) -> dict[int, str]:
    """Have kept what the rules need; returns why some are refused, by their numbers: of several the youngest.

    What was kept for a rule that stands is never let go in between.
    """
    refused: dict[int, str] = {}
    taken = list(rules)
    while (problem := _keep(history, taken)) is not None:
        refused[taken.pop().id] = problem
    for rule in rules:
        if rule.id in refused and _keep(history, [*taken, rule]) is None:
            taken.append(rule)
            del refused[rule.id]
    return refused


def _keep(history: KeepsAudio, rules: Sequence[StoredRule]) -> str | None:
    """Why that is too much; None if it is kept. Nothing at all is never too much."""
    seconds: dict[str, float] = {}
    for rule in rules:
        for pattern in rule.spec.channels:
            seconds[pattern] = max(seconds.get(pattern, 0.0), preroll_s(rule.spec))
    try:
        history.keep(seconds)
    except RuleError as error:
        return str(error)
    return None
