"""Applying every policy that the settings ask for."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, Final

from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home
from tidzam_platform.retention.clips import unlabelled_clips
from tidzam_platform.retention.dagster_runs import dagster_runs
from tidzam_platform.retention.detections import live_detections
from tidzam_platform.retention.logs import logs
from tidzam_platform.retention.policy import ENTRY_POINTS, Outcome, Policy, Work
from tidzam_platform.retention.recordings import recordings
from tidzam_platform.retention.shadow import shadow_rows

_POLICIES: Final[tuple[Policy, ...]] = (
    recordings,
    unlabelled_clips,
    live_detections,
    shadow_rows,
    logs,
    dagster_runs,
)


@dataclass(frozen=True)
class RetentionReport:
    """What a run removed, or would remove: one outcome a setting that is set."""

    applied: bool
    at: datetime
    outcomes: tuple[Outcome, ...]

    @property
    def items(self) -> int:
        """How many things in all."""
        return sum(outcome.items for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``, and for Dagster."""
        return {
            "applied": self.applied,
            "at": format_utc(self.at),
            "items": self.items,
            "bytes": sum(outcome.size_bytes for outcome in self.outcomes),
            "outcomes": [outcome.as_json() for outcome in self.outcomes],
        }


def run(
    home: Home, *, apply: bool = False, now: datetime | None = None, by: str | None = None
) -> RetentionReport:
    """Apply the settings ``retention.*``; where none is set, nothing is looked at.

    It may be killed at any moment: the next run goes on from there. Twice the same run removes nothing more.

    Args:
        home: whose data.
        apply: False: nothing changes.
        now: aware UTC; the present by default.
        by: who runs it, for the audit; the login by default.

    Raises:
        BusyError: another run, or an erasing, is at work.
        TidzamError: something could not be read, so that nobody knows what is needed; what was removed until then
            stands in the audit.
    """
    work = Work(home, now or utc_now(), apply, by or getpass.getuser())
    brought = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    with exclusive(home.settings.locks_folder / "retention", "retention or erasing"):
        outcomes = [policy(work) for policy in (*_POLICIES, *(point.load() for point in brought))]
    return RetentionReport(apply, work.now, tuple(outcome for outcome in outcomes if outcome is not None))
