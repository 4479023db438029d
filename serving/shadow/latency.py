"""A histogram of latencies: as many numbers however many batches."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final, Self

# Upper bounds, seconds: from 1 ms to 33 s, each the root of 2 times the one before; what is slower comes last.
BOUNDS_S: Final = tuple(0.001 * 2 ** (step / 2) for step in range(31))


@dataclass
class LatencyHistogram:
    """How many latencies lie up to each of BOUNDS_S, and how many beyond; with their sum and the longest."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0
    longest_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def merge(self, other: LatencyHistogram) -> None:
        """Count what another one has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total_s += other.total_s
        self.longest_s = max(self.longest_s, other.longest_s)

    @property
    def mean_s(self) -> float | None:
        """Seconds; None of none."""
        return self.total_s / count if (count := sum(self.counts)) else None

    def quantile_s(self, share: float) -> float | None:
        """At most this many seconds took ``share`` of them; interpolated within a bucket. None of none."""
        wanted = share * sum(self.counts)
        if not wanted:
            return None
        passed, lower_s = 0, 0.0
        for count, bound_s in zip(self.counts, (*BOUNDS_S, self.longest_s), strict=True):
            upper_s = min(bound_s, self.longest_s)
            if count and passed + count >= wanted:
                return lower_s + (upper_s - lower_s) * (wanted - passed) / count
            passed, lower_s = passed + count, upper_s
        return self.longest_s

    def to_json(self) -> dict[str, Any]:
        """As the catalog keeps it."""
        return {"counts": self.counts, "total_s": self.total_s, "longest_s": self.longest_s}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(list(content["counts"]), content["total_s"], content["longest_s"])
