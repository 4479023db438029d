"""What is known of a generation: how it was made, what the gate said, who overrode it, when it served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import AuditEntry, Generation
from tidzam_platform.classifiers.gate.verdicts import OVERRIDE_ACTION
from tidzam_platform.clock import format_utc

MAX_CHANGES: Final = 20  # of service, and overrides: the newest


@dataclass(frozen=True)
class ServiceChange:
    """A change in the model repository that touched the generation.

    Attributes:
        time: when, aware UTC.
        action: ``promote``, ``rollback`` (to it), ``remove_label`` or ``retire``.
        label: ``stable`` or ``canary``; None for ``retire``.
        by: who did it; ``gate`` is the gate after a training.
        reason: why.
        previous_version: the generation that had the label before.
    """

    time: datetime
    action: str
    label: str | None
    by: str
    reason: str
    previous_version: int | None

    def as_json(self) -> dict[str, Any]:
        """The time in ISO 8601."""
        return {
            "time": format_utc(self.time),
            "action": self.action,
            "label": self.label,
            "by": self.by,
            "reason": self.reason,
            "previous_generation": self.previous_version,
        }


@dataclass(frozen=True)
class Service:
    """What the model repository says of the generation.

    Attributes:
        label: that it has now; None if it has none.
        changes: that touched it, the newest first.
    """

    label: str | None = None
    changes: Sequence[ServiceChange] = ()

    def as_json(self) -> dict[str, Any]:
        """At most ``MAX_CHANGES`` changes."""
        return {
            "label": self.label,
            "changes": [change.as_json() for change in self.changes[:MAX_CHANGES]],
            "changes_in_all": len(self.changes),
        }


@dataclass(frozen=True)
class GenerationFacts:
    """What the catalog says of a generation.

    Attributes:
        state: ``candidate``, ``refused`` or ``exported``.
        experts: by name ``dataset_version``, ``code_version``, ``fingerprint`` and ``weights``.
        gate: ``passed``, ``reasons``, ``incumbent`` and ``override``, as the manifest has them; None: not judged.
        overrides: entries of the audit, the newest first.
    """

    number: int
    fingerprint: str
    dataset_version: str
    state: str
    made_at: datetime
    exported_at: datetime | None
    macro_f1: float | None
    experts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gate: Mapping[str, Any] | None = None
    overrides: Sequence[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """Times in ISO 8601; the experts stand elsewhere."""
        return {
            "state": self.state,
            "fingerprint": self.fingerprint,
            "dataset_version": self.dataset_version,
            "made_at": format_utc(self.made_at),
            "exported_at": None if self.exported_at is None else format_utc(self.exported_at),
            "macro_f1": self.macro_f1,
            "gate": None if self.gate is None else dict(self.gate),
            "overrides": [dict(one) for one in self.overrides],
        }


def facts_of(session: Session, number: int) -> GenerationFacts | None:
    """What the catalog says of the generation of that number; None if it does not know it."""
    row = session.get(Generation, number)
    if row is None:
        return None
    gate = row.manifest.get("gate")
    return GenerationFacts(
        number=row.number,
        fingerprint=row.fingerprint,
        dataset_version=row.dataset_version,
        state=row.state,
        made_at=row.made_at,
        exported_at=row.exported_at,
        macro_f1=row.evaluation.get("macro_f1"),
        experts=row.manifest.get("experts", {}),
        gate=None
        if gate is None
        else {
            "passed": bool(gate.get("passed")),
            "reasons": list(gate.get("reasons", ())),
            "incumbent": gate.get("incumbent"),
            "override": gate.get("override"),
        },
        overrides=_overrides(session, number),
    )


def _overrides(session: Session, number: int) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.action == OVERRIDE_ACTION, AuditEntry.details["generation"].as_integer() == number)
        .order_by(AuditEntry.id.desc())
        .limit(MAX_CHANGES)
    )
    return [
        {
            "at": format_utc(row.at),
            "by": row.by,
            "reason": row.reason,
            "parts": list(row.details.get("parts", ())),
        }
        for row in rows
    ]
