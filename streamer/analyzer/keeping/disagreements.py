"""Bringing together a window's result and what the canary said of it, whichever comes first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from streamer.analyzer.windows import WindowResult

MAX_REMEMBERED: Final = 4096  # windows whose canary may still answer, and answers that came first

_Value = TypeVar("_Value")
_When = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The canary took a window for something else than the stable generation. ``start`` is the window's, aware."""

    channel: str
    start: datetime
    class_path: str


class Disagreements:
    """For one thread. Windows are known by channel and start, to the millisecond."""

    def __init__(self) -> None:
        self._results: OrderedDict[_When, WindowResult] = OrderedDict()
        self._early: OrderedDict[_When, str] = OrderedDict()

    def of_result(self, result: WindowResult) -> str | None:
        """What the canary took the window for, if it has said already that this is something else."""
        when = (result.key.channel, _to_ms(result.key.start))
        _remember(self._results, when, result)
        return self._early.pop(when, None)

    def result_of(self, found: Disagreement) -> WindowResult | None:
        """The result of its window, if it has come already."""
        when = (found.channel, _to_ms(found.start))
        result = self._results.get(when)
        if result is None:
            _remember(self._early, when, found.class_path)
        return result


def _to_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _remember(known: OrderedDict[_When, _Value], when: _When, value: _Value) -> None:
    known[when] = value
    if len(known) > MAX_REMEMBERED:
        known.popitem(last=False)
