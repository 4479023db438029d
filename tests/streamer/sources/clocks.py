"""A clock that moves when a test says so."""

from __future__ import annotations


class Clock:
    """Monotonic seconds, and a wall clock in ns beside it that can be set."""

    def __init__(self, now_s: float = 1000.0, utc_ns: int = 1_775_000_000_000_000_000) -> None:
        self.now_s = now_s
        self._utc_ns_at_0 = utc_ns - round(now_s * 1e9)

    def monotonic(self) -> float:
        return self.now_s

    def utc_ns(self) -> int:
        return self._utc_ns_at_0 + round(self.now_s * 1e9)

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    def set_wall_clock(self, seconds_forward: float) -> None:
        self._utc_ns_at_0 += round(seconds_forward * 1e9)
