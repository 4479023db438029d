"""What the manager of sources keeps of each, and what comes back when one ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.states import SourceState
from streamer.engine.sources.supervisor import SourceSupervisor
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import TidzamError


@dataclass(frozen=True)
class Waiting:
    """A source that is not there now, and shall be: something stands in for it, or it could not be started."""

    specification: SourceSpecification
    is_kept: bool


@dataclass(eq=False)
class Entry:
    """A source in the list.

    Attributes:
        supervisor: keeps it playing.
        owner: who it belongs to; empty: nobody.
        is_kept: whether it is there again after a restart of the engine.
        number: of this start, unique in the life of the engine; 0 before it is listed.
        beneath: the permanent one that it stands in for, and that comes back after it.
        is_leaving: it was removed, and is listed until it has let go of its ports.
    """

    supervisor: SourceSupervisor
    owner: str
    is_kept: bool
    beneath: Waiting | None = None
    number: int = 0
    is_leaving: bool = False

    @property
    def name(self) -> str:
        """Of the source."""
        return self.supervisor.name

    @property
    def specification(self) -> SourceSpecification:
        """Of the source."""
        return self.supervisor.specification

    def status(self, *, with_history: bool = False) -> dict[str, Any]:
        """For people and metrics; JSON can say it."""
        return self.supervisor.status(with_history=with_history) | {
            "owner": self.owner,
            "kept": self.is_kept,
            "stands_in": self.beneath is not None,
            "number": self.number,
        }


@dataclass(frozen=True)
class Unstarted:
    """One that could not be started, and is tried again now and then."""

    wanted: Waiting
    failure: TidzamError | OSError
    since: datetime = field(default_factory=utc_now)
    since_s: float = field(default_factory=time.monotonic)

    def status(self, *, with_history: bool = False) -> dict[str, Any]:
        """As ``Entry.status`` has it: of a source that has failed, and waits for its next try."""
        specification, reason = self.wanted.specification, f"it could not be started: {self.failure}"
        status: dict[str, Any] = {
            "name": specification.name,
            "kind": specification.kind(utc_now()).value,
            "state": SourceState.BACKING_OFF.value,
            "reason": reason,
            "state_since": format_utc(self.since),
            "state_for_s": round(time.monotonic() - self.since_s, 1),
            "transitions": 0,
            "silent": False,
            "channels": [],
            "input_channels": [],
            "time": None,
            "url": specification.shown_url,
            "is_permanent": specification.is_permanent,
            "record": specification.record,
            "waiting_frames": 0,
            "drift_ppm": 0.0,
            "clock_ppm": 0.0,
            "metadata": {},
            "details": {},
            "ending": False,
            "last_failure": reason,
            "last_failure_code": type(self.failure).__name__,
            "hopeless": False,
            "counts": {},
            "specification": specification.as_dict(),
            "owner": "",
            "kept": self.wanted.is_kept,
            "stands_in": False,
            "number": 0,
        }
        return status | ({"history": []} if with_history else {})


def what_comes_back(
    before: Entry | None, unstarted: Waiting | None, specification: SourceSpecification
) -> Waiting | None:
    """What comes back when the new source ends: the permanent one that it replaces, unless it is permanent itself."""
    if specification.is_permanent:
        return None
    if before is None:
        return unstarted
    if before.beneath is not None or before.is_leaving:
        return before.beneath
    return itself_again(before)


def itself_again(entry: Entry) -> Waiting | None:
    """A permanent source as what shall be there again; None of another one."""
    return Waiting(entry.specification, entry.is_kept) if entry.specification.is_permanent else None
