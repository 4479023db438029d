"""Who said what of the clips behind a class: questions to the catalog, as many for a hundred thousand clips as for ten.

A dataset version is made of all labels that stand at that moment, so those behind it are known by their times, and by
the sides of their clips, which never change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, String, and_, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from tidzam_platform.catalog.tables import Annotation, Clip, Group
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.labels.class_paths import SEPARATOR, ancestors, is_within
from tidzam_platform.lineage.class_rows import LEARNT_FROM

MAX_ANNOTATORS: Final = 20  # and tools: those with most labels
_Later = aliased(Annotation, name="later")


@dataclass(frozen=True)
class ClassNames:
    """How labels of a class may be written, in the catalog.

    Attributes:
        class_path: of the class in the dataset version.
        verdict: ``present`` or ``absent``.
        taxonomy: as it was when the version was built: older labels keep the names that they were made with.
    """

    class_path: str
    verdict: str
    taxonomy: Taxonomy

    def said_of(self, column: Any) -> ColumnElement[bool]:
        """Whether a class path of the catalog is of the class."""
        older = [
            source
            for source, targets in self.taxonomy.becomes.items()
            if any(self._is_of(target) for target in targets)
        ]
        if self.verdict == "absent":
            return or_(column.in_([self.class_path, *ancestors(self.class_path), *older]))
        below = column.startswith(self.class_path + SEPARATOR, autoescape=True)
        return or_(column.in_([self.class_path, *older]), below)

    def _is_of(self, path: str) -> bool:
        if self.verdict == "absent":
            return is_within(self.class_path, path)
        return is_within(path, self.class_path)


@dataclass(frozen=True)
class Labels:
    """Labels of a class as they stood when a dataset version was made, of clips of train and validation.

    Attributes:
        session: reads the catalog.
        names: of the class.
        made_at: when the version was made.
    """

    session: Session
    names: ClassNames
    made_at: datetime

    def by_annotator(self) -> Sequence[Any]:
        """Rows of annotator, tool, labels, first and last: those with most labels first, ``MAX_ANNOTATORS`` at most."""
        labels = func.count().label("labels")
        chosen = self._stood(
            select(
                Annotation.annotator,
                Annotation.tool,
                labels,
                func.min(Annotation.made_at).label("first"),
                func.max(Annotation.made_at).label("last"),
            )
        )
        chosen = chosen.group_by(Annotation.annotator, Annotation.tool)
        ordered = chosen.order_by(labels.desc(), Annotation.annotator, Annotation.tool)
        return self.session.execute(ordered.limit(MAX_ANNOTATORS)).all()

    def newest(self, limit: int) -> Sequence[Any]:
        """Rows of clip and label, the newest label first."""
        chosen = self._stood(
            select(
                Clip.id.label("clip"),
                Clip.sha256,
                Clip.store_key,
                Clip.seconds,
                Clip.channel,
                Clip.start,
                Group.side,
                Annotation.id.label("annotation"),
                Annotation.class_path,
                Annotation.start_s,
                Annotation.end_s,
                Annotation.annotator,
                Annotation.tool,
                Annotation.made_at,
                Annotation.superseded_by_id,
            )
        )
        # Labels are numbered as they are made.
        return self.session.execute(chosen.order_by(Annotation.id.desc()).limit(limit)).all()

    def superseded(self, limit: int) -> Sequence[Any]:
        """Rows of labels that were corrected since, with what took their place and ``in_all``; the newest first."""
        chosen = self._stood(
            select(
                Clip.id.label("clip"),
                Annotation.class_path.label("was_class"),
                Annotation.annotator.label("was_by"),
                Annotation.made_at.label("was_at"),
                _Later.class_path,
                _Later.verdict,
                _Later.annotator,
                _Later.tool,
                _Later.made_at,
                _Later.superseded_by_id,
                func.count().over().label("in_all"),
            )
        ).where(Annotation.superseded_by_id.is_not(None))
        ordered = chosen.order_by(_Later.id.desc(), Annotation.id.desc())
        return self.session.execute(ordered.limit(limit)).all()

    def beside(self, limit: int) -> Sequence[Any]:
        """Rows of what stands that was said since of the same clips and is no agreement, with ``in_all``.

        What only takes the place of a label that stood is with ``superseded``.
        """
        said = aliased(Annotation, name="said")
        stood = self._stood(select(literal(1))).where(Annotation.clip_id == said.clip_id).correlate(said)
        replaces = stood.where(Annotation.superseded_by_id == said.id)
        agrees = and_(said.verdict == self.names.verdict, self.names.said_of(said.class_path))
        chosen = select(
            said.clip_id.label("clip"),
            said.class_path,
            said.verdict,
            said.annotator,
            said.tool,
            said.made_at,
            said.superseded_by_id,
            func.count().over().label("in_all"),
        ).where(
            said.made_at > self.made_at,
            said.superseded_by_id.is_(None),
            said.clip_id.is_not(None),
            ~agrees,
            stood.exists(),
            ~replaces.exists(),
        )
        return self.session.execute(chosen.order_by(said.id.desc()).limit(limit)).all()

    def _stood(self, chosen: Any) -> Any:
        """Labels of the class that stood when the version was made, each with what superseded it since."""
        return (
            chosen.select_from(Annotation)
            .join(Clip, Clip.id == Annotation.clip_id)
            .join(Group, Group.id == Clip.group_id)
            .outerjoin(_Later, _Later.id == Annotation.superseded_by_id)
            .where(
                Annotation.verdict == self.names.verdict,
                self.names.said_of(Annotation.class_path),
                Annotation.made_at <= self.made_at,
                or_(Annotation.superseded_by_id.is_(None), _Later.made_at > self.made_at),
                Group.side.in_(LEARNT_FROM),
            )
        )


def clips_there(session: Session, hashes: Sequence[str]) -> int:
    """How many of the clips of these SHA-256 the catalog has; audio of the others was erased."""
    text = literal(json.dumps(list(hashes)), String())  # one parameter, which both databases turn into rows
    if session.get_bind().dialect.name == "postgresql":
        rows = func.json_array_elements_text(cast(text, JSON)).table_valued("value")
    else:
        rows = func.json_each(text).table_valued("value")
    found = select(func.count()).select_from(rows).join(Clip, Clip.sha256 == rows.c.value)
    return session.scalar(found) or 0
