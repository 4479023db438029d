"""What the manager of sources keeps of each, and what comes back when one ends."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.supervisor import SourceSupervisor


@dataclass(frozen=True)
class Entry:
    """A source in the list. ``beneath``: the permanent one that it stands in for, and that comes back after it."""

    supervisor: SourceSupervisor
    owner: str
    is_kept: bool
    beneath: Waiting | None = None


@dataclass(frozen=True)
class Waiting:
    """A source that is not there now, and shall be: something stands in for it, or it could not be started."""

    specification: SourceSpecification
    is_kept: bool


def what_comes_back(
    before: Entry | None, unstarted: Waiting | None, specification: SourceSpecification
) -> Waiting | None:
    """What comes back when the new source ends: the permanent one that it replaces, unless it is permanent itself."""
    if specification.is_permanent:
        return None
    if before is None:
        return unstarted
    if before.beneath is not None:
        return before.beneath
    if before.supervisor.specification.is_permanent:
        return Waiting(before.supervisor.specification, before.is_kept)
    return None
