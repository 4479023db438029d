"""The rules of the recorder in the catalog: added, removed, listed; removed ones stay, since clips name them.

Each is read for itself: one that cannot be read (a later version wrote it, or it is damaged) costs the others nothing,
and is removed as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Text, cast, func, select, update
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, RecorderRule
from tidzam_platform.clips.reading_rules import UnreadableRule, read_specification
from tidzam_platform.clips.renamed_classes import other_names
from tidzam_platform.clips.rules import EVERYTHING, RecorderRuleSpec
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.datasets.taxonomy_changes import known_classes, taxonomy_of
from tidzam_platform.errors import RuleError
from tidzam_platform.labels.class_paths import NO_SIGNAL, UNKNOWN

MAX_RULES: Final = 200  # that stand at a time
_MAX_NAME: Final = 255


@dataclass(frozen=True)
class StoredRule:
    """A rule of the catalog.

    Attributes:
        id: its number.
        spec: what it says, by every name that its classes have or had (``renamed_classes``).
        made_by, made_at: who added it, and when (UTC).
        removed_at: None while it stands.
        clips: how many clips of it the catalog holds; 0 where nobody asked.
        also: which of its classes it does not say by itself: they were renamed, merged or split.
    """

    id: int
    spec: RecorderRuleSpec
    made_by: str
    made_at: datetime
    removed_at: datetime | None
    clips: int = 0
    also: tuple[str, ...] = ()

    @property
    def written_classes(self) -> list[str]:
        """Its classes as it was written."""
        return [path for path in self.spec.classes if path not in self.also]

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "id": self.id,
            **self.spec.as_dict(),
            **({"classes": self.written_classes, "also": list(self.also)} if self.also else {}),
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


def classes_not_known(catalog: Catalog, spec: RecorderRuleSpec) -> list[str]:
    """Classes of a rule that stand in no label and that no generation answers, by any name; in the rule's order.

    They may come to be: that is no error, but often a slip of the pen.
    """
    with catalog.reading() as session:
        taxonomy = taxonomy_of(session)
        known = {EVERYTHING, UNKNOWN, NO_SIGNAL, *known_classes(session, taxonomy)}
    return [
        path for path in spec.classes if path not in known and not known.intersection(taxonomy.targets(path))
    ]


def replace_rules(
    catalog: Catalog, removed: Collection[int], specs: Sequence[RecorderRuleSpec], made_by: str
) -> list[StoredRule]:
    """Let the rules ``removed`` stand no more and keep ``specs``, all of it or nothing; returns the new ones.

    What of ``removed`` stands no more already is passed over.

    Raises:
        RuleError: there would be too many; nothing was changed.
    """
    with catalog.session() as session:
        standing = set(session.scalars(select(RecorderRule.id).where(_stands())))
        going = standing & set(removed)
        if len(standing) - len(going) + len(specs) > MAX_RULES:
            raise RuleError(
                f"there would be more than {MAX_RULES} rules: remove one with ./tidzam rule remove ID, or name several "
                "channels in one"
            )
        now = utc_now()
        _remove(session, going, now)
        new = [
            RecorderRule(specification=spec.as_dict(), made_by=made_by[:_MAX_NAME], made_at=now)
            for spec in specs
        ]
        session.add_all(new)
        session.flush()
        return [
            StoredRule(row.id, spec, row.made_by, row.made_at, None)
            for row, spec in zip(new, specs, strict=True)
        ]


def remove_rule(catalog: Catalog, rule_id: int) -> StoredRule | UnreadableRule:
    """Let a rule stand no more, whether it can be read or not; its clips stay.

    Raises:
        RuleError: no rule of that number stands.
    """
    with catalog.session() as session:
        if not _remove(session, {rule_id}, utc_now()):
            raise RuleError(f"no rule {rule_id} stands: ./tidzam rule list shows those that do")
        readable, unreadable = _read(session, RecorderRule.id == rule_id)
        return readable[0] if readable else unreadable[0]


class RulesRead(NamedTuple):
    """Rules of the catalog, the oldest first: those that can be read, and the others."""

    readable: tuple[StoredRule, ...]
    unreadable: tuple[UnreadableRule, ...]


def read_rules(catalog: Catalog, *, removed: bool = False, counted: bool = False) -> RulesRead:
    """The rules that stand, with ``removed`` also those that do not any more; ``counted`` also counts their clips."""
    with catalog.reading() as session:
        counts = {}
        if counted:
            per_rule = (
                select(Clip.rule_id, func.count()).where(Clip.rule_id.is_not(None)).group_by(Clip.rule_id)
            )
            counts = {int(row[0] or 0): int(row[1]) for row in session.execute(per_rule)}
        return _read(session, None if removed else _stands(), counts)


def list_rules(catalog: Catalog, *, removed: bool = False) -> list[StoredRule]:
    """The rules that can be read, with their clips; see ``read_rules``."""
    return list(read_rules(catalog, removed=removed, counted=True).readable)


def _stands() -> ColumnElement[bool]:
    return RecorderRule.removed_at.is_(None)


def _remove(session: Session, rule_ids: Collection[int], now: datetime) -> int:
    """How many of these stood until now."""
    # Their specifications are not looked at.
    changed = session.execute(
        update(RecorderRule)
        .where(RecorderRule.id.in_(rule_ids), _stands())
        .values(removed_at=now)
        .returning(RecorderRule.id)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())


def _read(
    session: Session, wanted: ColumnElement[bool] | None, counts: dict[int, int] | None = None
) -> RulesRead:
    # As text: JSON that is damaged would cost all rows.
    query = select(
        RecorderRule.id,
        cast(RecorderRule.specification, Text),
        RecorderRule.made_by,
        RecorderRule.made_at,
        RecorderRule.removed_at,
    ).order_by(RecorderRule.id)
    readable, unreadable = [], []
    taxonomy = taxonomy_of(session)
    for rule_id, text, made_by, made_at, removed_at in session.execute(
        query if wanted is None else query.where(wanted)
    ):
        number = (counts or {}).get(rule_id, 0)
        read = read_specification(text)
        if isinstance(read, RecorderRuleSpec):
            also = other_names(read, taxonomy)
            spec = read.model_copy(update={"classes": (*read.classes, *also)}) if also else read
            readable.append(StoredRule(rule_id, spec, made_by, made_at, removed_at, number, also))
        else:
            unreadable.append(UnreadableRule(rule_id, read, made_by, made_at, removed_at, number))
    return RulesRead(tuple(readable), tuple(unreadable))
