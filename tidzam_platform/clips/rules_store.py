"""The rules of the recorder in the catalog: added, removed, listed; removed ones stay, since clips name them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, RecorderRule
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import RuleError

MAX_RULES: Final = 200  # that stand at a time
_MAX_NAME: Final = 255


@dataclass(frozen=True)
class StoredRule:
    """A rule of the catalog.

    Attributes:
        id: its number.
        spec: what it says.
        made_by, made_at: who added it, and when (UTC).
        removed_at: None while it stands.
        clips: how many clips of it the catalog holds; 0 where nobody asked.
    """

    id: int
    spec: RecorderRuleSpec
    made_by: str
    made_at: datetime
    removed_at: datetime | None
    clips: int = 0

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "id": self.id,
            **self.spec.as_dict(),
            "made_by": self.made_by,
            "made_at": format_utc(self.made_at),
            "removed_at": None if self.removed_at is None else format_utc(self.removed_at),
            "clips": self.clips,
        }


def add_rule(catalog: Catalog, spec: RecorderRuleSpec, made_by: str) -> StoredRule:
    """Keep a rule; a running analyzer follows it within seconds.

    Raises:
        RuleError: there are too many.
    """
    (added,) = replace_rules(catalog, (), (spec,), made_by)
    return added


def replace_rules(
    catalog: Catalog, removed: Collection[int], specs: Sequence[RecorderRuleSpec], made_by: str
) -> list[StoredRule]:
    """Let the rules ``removed`` stand no more and keep ``specs``, all of it or nothing; returns the new ones.

    What of ``removed`` stands no more already is passed over.

    Raises:
        RuleError: there would be too many; nothing was changed.
    """
    with catalog.session() as session:
        rows = session.scalars(select(RecorderRule).where(RecorderRule.removed_at.is_(None))).all()
        going = [row for row in rows if row.id in removed]
        if len(rows) - len(going) + len(specs) > MAX_RULES:
            raise RuleError(
                f"there would be more than {MAX_RULES} rules: remove one with ./tidzam rule remove ID, or name several "
                "channels in one"
            )
        now = utc_now()
        for row in going:
            row.removed_at = now
        new = [
            RecorderRule(specification=spec.as_dict(), made_by=made_by[:_MAX_NAME], made_at=now)
            for spec in specs
        ]
        session.add_all(new)
        session.flush()
        return [_stored(row) for row in new]


def remove_rule(catalog: Catalog, rule_id: int) -> StoredRule:
    """Let a rule stand no more; its clips stay.

    Raises:
        RuleError: no rule of that number stands.
    """
    with catalog.session() as session:
        row = session.get(RecorderRule, rule_id)
        if row is None or row.removed_at is not None:
            raise RuleError(f"no rule {rule_id} stands: ./tidzam rule list shows those that do")
        row.removed_at = utc_now()
        session.flush()
        return _stored(row)


def list_rules(catalog: Catalog, *, removed: bool = False) -> list[StoredRule]:
    """The rules that stand, with ``removed`` also those that do not any more, the oldest first; with their clips."""
    with catalog.reading() as session:
        per_rule = select(Clip.rule_id, func.count()).where(Clip.rule_id.is_not(None)).group_by(Clip.rule_id)
        counts = {row[0]: int(row[1]) for row in session.execute(per_rule)}
        wanted = select(RecorderRule).order_by(RecorderRule.id)
        if not removed:
            wanted = wanted.where(RecorderRule.removed_at.is_(None))
        return [_stored(row, counts.get(row.id, 0)) for row in session.scalars(wanted)]


def standing_rules(catalog: Catalog) -> list[StoredRule]:
    """The rules that stand, the oldest first, without counts: quick, for who looks often."""
    with catalog.reading() as session:
        rows = session.scalars(
            select(RecorderRule).where(RecorderRule.removed_at.is_(None)).order_by(RecorderRule.id)
        ).all()
    return [_stored(row) for row in rows]


def _stored(row: RecorderRule, clips: int = 0) -> StoredRule:
    spec = RecorderRuleSpec.parse(row.specification)
    return StoredRule(row.id, spec, row.made_by, row.made_at, row.removed_at, clips)
