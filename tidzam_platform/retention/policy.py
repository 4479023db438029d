"""What every policy of retention gets and gives; rooms above bring theirs by the entry points ``tidzam.retention``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import AuditEntry
from tidzam_platform.clock import format_utc
from tidzam_platform.home import Home

ENTRY_POINTS: Final = "tidzam.retention"
ACTION: Final = "retention.remove"
NOT_LET: Final = "the operating system does not let us remove it"
_EXAMPLES: Final = 5


@dataclass
class Outcome:
    """What a policy removed, or would remove.

    Attributes:
        kind: of data, in words.
        setting: its name.
        days: what the setting says.
        items: how many.
        size_bytes: how many bytes, as far as that is known.
        oldest: aware; of what goes.
        newest: aware; of what goes.
        examples: the first few, for people.
        kept: what is old enough and stays all the same, by reason.
        moves: it moves to another place, and nothing is lost.
    """

    kind: str
    setting: str
    days: int
    items: int = 0
    size_bytes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    examples: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    moves: bool = False

    def add(self, what: str, moment: datetime | None, size_bytes: int = 0) -> None:
        """Count one more."""
        self.items += 1
        self.size_bytes += size_bytes
        if len(self.examples) < _EXAMPLES:
            self.examples.append(what)
        if moment is not None:
            self.oldest = min(self.oldest or moment, moment)
            self.newest = max(self.newest or moment, moment)

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the audit."""
        return {
            "kind": self.kind,
            "setting": self.setting,
            "days": self.days,
            "items": self.items,
            "bytes": self.size_bytes,
            "oldest": None if self.oldest is None else format_utc(self.oldest),
            "newest": None if self.newest is None else format_utc(self.newest),
            "examples": self.examples,
            "kept": dict(self.kept),
            "moves": self.moves,
        }


@dataclass
class Work:
    """A run of retention.

    Attributes:
        home: whose data.
        now: aware UTC; ages are counted from it.
        apply: False: nothing changes.
        by: who runs it, for the audit.
    """

    home: Home
    now: datetime
    apply: bool
    by: str
    _audited: dict[str, int] = field(default_factory=dict)

    def before(self, days: int) -> datetime:
        """What is older than ``days``."""
        return self.now - timedelta(days=days)

    def audit(self, session: Session, outcome: Outcome) -> None:
        """Keep in the audit what ``outcome`` counts by now, in the removal's transaction: one entry a kind and run."""
        known = self._audited.get(outcome.kind)
        entry = None if known is None else session.get(AuditEntry, known)
        if entry is None:
            reason = f"{outcome.setting} = {outcome.days}"
            entry = AuditEntry(at=self.now, by=self.by, action=ACTION, reason=reason, details={})
            session.add(entry)
        entry.details = outcome.as_json()
        session.flush()
        self._audited[outcome.kind] = entry.id


def remove_file(path: Path) -> bool:
    """Remove a file; True if it is not there any more, False (``NOT_LET``) if it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


Policy = Callable[[Work], Outcome | None]
"""Applies one setting; None where it keeps everything."""
