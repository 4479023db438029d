"""What was heard of each channel, counted: for people, metrics and tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from streamer.analyzer.hearing.cutter import Cause
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.names import channel as channel_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_GONE: Final = 1024  # channels that are gone and still shown


@dataclass
class ChannelTally:
    """Of one channel.

    Attributes:
        since: UTC since when it is heard.
        windows: that were cut.
        left_out: windows that were not, and why.
        interruptions: how often silence was put in between samples that belong together.
        utc_ns: when what was heard last was sound, ns since 1970; None before the first.
        is_heard: whether it is there now.
    """

    since: datetime
    windows: int = 0
    left_out: Counter[Cause] = field(default_factory=Counter)
    interruptions: int = 0
    utc_ns: int | None = None
    is_heard: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For people; JSON can say it."""
        return {
            "heard": self.is_heard,
            "since": format_utc(self.since),
            "windows": self.windows,
            "left_out": {cause.value: self.left_out[cause] for cause in Cause},
            "interruptions": self.interruptions,
            "time": None if self.utc_ns is None else _format_ns(self.utc_ns),
        }


class Tally:
    """Counts of one hearer: written by its thread, read by any.

    Args:
        utc: the time of day.
    """

    def __init__(self, utc: Callable[[], datetime] = utc_now) -> None:
        self._utc = utc
        self._lock = threading.Lock()
        self._channels: dict[str, ChannelTally] = {}
        self._windows = 0
        self._left_out: Counter[Cause] = Counter()
        self._interruptions = 0
        self.runs = 0
        """Runs begun, by each group of channels."""
        self.lost_frames = 0
        """Frames of the rings that were overwritten before they were read, by each group of channels."""

    def come(self, source: str, numbers: Iterable[int]) -> None:
        """These channels are heard from now on."""
        with self._lock:
            for name in _names(source, numbers):
                known = self._channels.pop(name, None)
                if known is None:
                    known = ChannelTally(self._utc())
                elif not known.is_heard:
                    known.since, known.is_heard = self._utc(), True
                self._channels[name] = known

    def go(self, source: str, numbers: Iterable[int]) -> None:
        """These are not heard any more; what was counted is kept for a while."""
        with self._lock:
            for name in _names(source, numbers):
                gone = self._channels.pop(name)
                gone.is_heard = False
                self._channels[name] = gone
            silent = [name for name, known in self._channels.items() if not known.is_heard]
            for name in silent[:-_MOST_GONE]:
                del self._channels[name]

    def heard(self, source: str, numbers: Iterable[int], windows: int, left_out: Counter[Cause]) -> None:
        """So many windows of each of these channels were cut, and left out."""
        with self._lock:
            for name in _names(source, numbers):
                known = self._channels[name]
                known.windows += windows
                known.left_out.update(left_out)
                self._windows += windows
                self._left_out.update(left_out)

    def interrupted(self, source: str, numbers: Iterable[int]) -> None:
        """Silence was put in between samples that belong together."""
        with self._lock:
            for name in _names(source, numbers):
                self._channels[name].interruptions += 1
                self._interruptions += 1

    def reached(self, source: str, numbers: Iterable[int], utc_ns: int) -> None:
        """All up to this UTC (ns since 1970) was heard."""
        with self._lock:
            for name in _names(source, numbers):
                self._channels[name].utc_ns = utc_ns

    def status(self) -> dict[str, dict[str, Any]]:
        """Of each channel, also of those that went lately."""
        with self._lock:
            return {name: self._channels[name].as_dict() for name in sorted(self._channels)}

    def counts(self) -> dict[str, Any]:
        """All counters since the beginning, and those of each channel."""
        with self._lock:
            heard = [known for known in self._channels.values() if known.is_heard]
            return {
                "channels": len(heard),
                "windows": self._windows,
                "windows_left_out": {cause.value: self._left_out[cause] for cause in Cause},
                "interruptions": self._interruptions,
                "runs": self.runs,
                "lost_frames": self.lost_frames,
                "channel_windows": {name: known.windows for name, known in self._channels.items()},
                "channel_windows_left_out": {
                    name: known.left_out.total() for name, known in self._channels.items()
                },
            }


def _names(source: str, numbers: Iterable[int]) -> list[str]:
    return [channel_name(source, number) for number in numbers]


def _format_ns(utc_ns: int) -> str:
    return format_utc(_EPOCH + timedelta(microseconds=utc_ns // 1000))
