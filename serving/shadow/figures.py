"""What is counted of windows that two generations heard; figures of several batches, hours or processes add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from serving.shadow.latency import LatencyHistogram


@dataclass
class SideFigures:
    """Of one of the two.

    Attributes:
        heard: windows decided for each class path, ``unknown`` and ``no_signal`` too; classes that it knows and that
            were never heard have 0.
        latency: from asking to the whole answer, one a batch.
    """

    heard: Counter[str] = field(default_factory=Counter)
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)

    def merge(self, other: SideFigures) -> None:
        """Add those of another."""
        self.heard.update(other.heard)
        self.latency.merge(other.latency)

    def to_json(self) -> dict[str, Any]:
        """As the catalog keeps it."""
        return {"heard": dict(self.heard), "latency": self.latency.to_json()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(Counter(content["heard"]), LatencyHistogram.from_json(content["latency"]))


@dataclass
class ScoreDifference:
    """Of a class that both know: score of the canary less that of the stable generation, over windows."""

    windows: int = 0
    total: float = 0.0
    absolute: float = 0.0
    largest: float = 0.0

    def merge(self, other: ScoreDifference) -> None:
        """Add that of other windows."""
        self.windows += other.windows
        self.total += other.total
        self.absolute += other.absolute
        self.largest = max(self.largest, other.largest)


@dataclass
class Figures:
    """Of a pair of generations.

    Attributes:
        batches: requests that both answered.
        windows: windows that were compared.
        unusable: windows that were not, since a score of one of both is no finite number; in nothing else here.
        quiet: windows that both took for ``no_signal``: they say nothing of either.
        agreed: windows for which both decided the same classes, quiet ones included.
        agreed_leaf: windows with the same best leaf class, quiet ones left out.
        stable, canary: of each side.
        differences: by class path, of classes that both know; quiet windows left out.
    """

    batches: int = 0
    windows: int = 0
    unusable: int = 0
    quiet: int = 0
    agreed: int = 0
    agreed_leaf: int = 0
    stable: SideFigures = field(default_factory=SideFigures)
    canary: SideFigures = field(default_factory=SideFigures)
    differences: dict[str, ScoreDifference] = field(default_factory=dict)

    def merge(self, other: Figures) -> None:
        """Add those of other windows of the same pair."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.stable.merge(other.stable)
        self.canary.merge(other.canary)
        for path, difference in other.differences.items():
            self.differences.setdefault(path, ScoreDifference()).merge(difference)

    def to_json(self) -> dict[str, Any]:
        """As the catalog keeps it."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "stable": self.stable.to_json(),
            "canary": self.canary.to_json(),
            "differences": {
                path: [one.windows, one.total, one.absolute, one.largest]
                for path, one in self.differences.items()
            },
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(
            **{name: content[name] for name in _COUNTS},
            stable=SideFigures.from_json(content["stable"]),
            canary=SideFigures.from_json(content["canary"]),
            differences={path: ScoreDifference(*one) for path, one in content["differences"].items()},
        )


_COUNTS = ("batches", "windows", "unusable", "quiet", "agreed", "agreed_leaf")
