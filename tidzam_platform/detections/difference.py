"""The answer of a comparison of two generations: by class, channel and hour, with examples to listen to."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from tidzam_platform.archive.report import printable
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.detection import Detection
from tidzam_platform.names import split_channel

Kind = Literal["gained", "lost", "changed"]
COUNTS: Final = ("kept", "gained", "lost", "changed_to", "changed_from")
_TOTALS: Final = ("before", "after", "kept_before", "kept_after", "gained", "lost", "changed")


@dataclass
class Cell:
    """What became of a class on a channel within an hour (UTC, by the start of the detection).

    ``kept`` counts what is heard now as before; ``changed_to`` sounds that were another class before, ``changed_from``
    those that are another class now.
    """

    class_path: str
    channel: str
    hour: datetime
    kept: int = 0
    gained: int = 0
    lost: int = 0
    changed_to: int = 0
    changed_from: int = 0


@dataclass(frozen=True)
class Example:
    """A difference to listen to.

    Attributes:
        kind: which one.
        before: what was heard; None where it is gained.
        after: what is heard now; None where it is lost.
        recording: path of the recording in which it starts; None if the catalog knows none any more.
        offset_s: of its start in that recording.
    """

    kind: Kind
    before: Detection | None
    after: Detection | None
    recording: str | None = None
    offset_s: float | None = None

    @property
    def detection(self) -> Detection:
        """What it is counted as: what is heard now, where anything is."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of the two is there
        return found

    @property
    def strength(self) -> float:
        """The score; of a change that of the side which is less sure."""
        return min(one.score for one in (self.before, self.after) if one is not None)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        one = self.detection
        return {
            "kind": self.kind,
            "class": one.class_path,
            "class_before": None if self.before is None else self.before.class_path,
            "channel": one.channel,
            "number": split_channel(one.channel)[1],
            "start": format_utc(one.start),
            "end": format_utc(one.end),
            "score": None if self.after is None else round(self.after.score, 6),
            "score_before": None if self.before is None else round(self.before.score, 6),
            "id": one.id,
            "recording": None if self.recording is None else printable(self.recording),
            "offset_s": self.offset_s,
        }


@dataclass
class Difference:
    """The answer.

    Attributes:
        generation: what is heard now; ``before``: with what it is compared.
        source: its name; ``begin``, ``end``: the range (UTC), detections that start in it.
        totals: ``before``, ``after`` (detections of each side), ``kept_before``, ``kept_after``, ``gained``, ``lost``,
            ``changed``; before = kept_before + changed + lost, after = kept_after + changed + gained.
        cells: by class, channel and hour.
        changes: how often which class became which.
        examples: the strongest of each kind and class, the strongest first.
    """

    generation: int
    before: int
    source: str
    begin: datetime
    end: datetime
    totals: Counter[str] = field(default_factory=Counter)
    cells: list[Cell] = field(default_factory=list)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def by(self, what: Literal["class_path", "channel", "hour"]) -> dict[Any, Counter[str]]:
        """The counts of all cells that have one class, channel or hour, in ascending order of these."""
        sums: dict[Any, Counter[str]] = defaultdict(Counter)
        for cell in self.cells:
            for name in COUNTS:
                sums[getattr(cell, what)][name] += getattr(cell, name)
        return dict(sorted(sums.items()))

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "generation": self.generation,
            "before": self.before,
            "source": self.source,
            "from": format_utc(self.begin),
            "to": format_utc(self.end),
            "totals": {name: self.totals[name] for name in _TOTALS},
            "classes": {path: dict(counts) for path, counts in self.by("class_path").items()},
            "channels": {channel: dict(counts) for channel, counts in self.by("channel").items()},
            "hours": {format_utc(hour): dict(counts) for hour, counts in self.by("hour").items()},
            "cells": [
                {
                    "class": cell.class_path,
                    "channel": cell.channel,
                    "hour": format_utc(cell.hour),
                    **{name: getattr(cell, name) for name in COUNTS},
                }
                for cell in self.cells
            ],
            "changes": [
                {"from": old, "to": new, "count": count}
                for (old, new), count in sorted(self.changes.items(), key=lambda item: (-item[1], item[0]))
            ],
            "examples": [one.as_json() for one in self.examples],
        }
