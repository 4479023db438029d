"""Writing annotations, with their history: nothing is ever changed or removed, a correction supersedes.

What another annotator said stays beside it. The same call twice writes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import LabelError, NothingToLabelError
from tidzam_platform.labels.corrections import Identity, corrected_elsewhere, identity_of
from tidzam_platform.labels.statement import Statement, Stretch, valid_annotator
from tidzam_platform.labels.targets import Place, Target, place_of

Replaces = Literal["same", "stretch", "all"]
"""What an annotator's new statements take the place of.

``same``: what was said of the same class and stretch. ``stretch``: all that was said of the same stretches.
``all``: also what was said of the target's other stretches, which becomes ``unsure``.
"""

_TARGETS: Final = 200  # a transaction
_LOCK: Final = 7483921  # annotations are written one transaction at a time


@dataclass
class Outcome:
    """What writing did.

    Attributes:
        made: new annotations.
        kept: those that said the same before.
        superseded: how many no longer stand.
        withdrawn: how many became ``unsure``, since they were not said again.
    """

    made: list[Annotation] = field(default_factory=list)
    kept: list[Annotation] = field(default_factory=list)
    superseded: int = 0
    withdrawn: int = 0


@dataclass(frozen=True)
class _Author:
    """Who speaks, and how; ``imports``: from a file, which may be read again after it was corrected elsewhere."""

    annotator: str
    tool: str
    replaces: Replaces
    imports: bool = False

    def spoke(self, row: Annotation) -> bool:
        """Whether what was said before stands for what is said now.

        What a person says and a file said is written anew, in the person's words: a file that says something else
        some day must not take the person's word back.
        """
        return self.imports or row.tool == self.tool


def annotate(
    catalog: Catalog,
    target: Target,
    statements: Sequence[Statement],
    *,
    annotator: str,
    tool: str,
    replaces: Replaces = "same",
    corrects: int | None = None,
) -> Outcome:
    """Write what ``annotator`` says of a target.

    Args:
        catalog: where it goes.
        target: of what.
        statements: what is said.
        annotator: who says so.
        tool: with which program, e.g. ``web``.
        replaces: see ``Replaces``.
        corrects: number of an annotation of the same target by the same annotator that the one statement supersedes.

    Raises:
        NothingToLabelError: no such clip, recording, channel, or annotation to correct.
        LabelError: a statement lies outside the target, two contradict each other, or the correction is none.
        InvalidNameError: the annotator has no name.
    """
    author = _Author(valid_annotator(annotator), tool, replaces)
    outcome = Outcome()
    with catalog.session() as session:
        _one_at_a_time(session)
        place = place_of(session, target)
        if corrects is not None:
            _correct(session, place, statements, author, corrects, outcome)
        else:
            _write(session, place, statements, author, outcome)
    return outcome


def import_statements(
    catalog: Catalog,
    work: Sequence[tuple[Target, Sequence[Statement]]],
    *,
    annotator: str,
    tool: str,
    replaces: Replaces = "stretch",
) -> Outcome:
    """Write what a file says of many targets; all is looked at before anything is written.

    Only what came by the same tool is replaced, and what was corrected by another tool since stays corrected.
    Some hundreds of targets are one transaction: after kill -9 the same call writes the rest. Errors as ``annotate``.
    """
    author = _Author(valid_annotator(annotator), tool, replaces, imports=True)
    with catalog.reading() as session:
        places = [(place_of(session, target), statements) for target, statements in work]
    for place, statements in places:
        _fitted(place, statements)
    outcome = Outcome()
    for first in range(0, len(places), _TARGETS):
        with catalog.session() as session:
            _one_at_a_time(session)
            for place, statements in places[first : first + _TARGETS]:
                _write(session, place, statements, author, outcome)
    return outcome


def import_of_clip(
    session: Session, clip: Clip, statements: Sequence[Statement], *, annotator: str, tool: str
) -> Outcome:
    """As ``import_statements`` for one clip, within the caller's transaction."""
    _one_at_a_time(session)
    outcome = Outcome()
    place = Place(clip_id=clip.id, channel=clip.channel, start=clip.start, seconds=clip.seconds)
    author = _Author(valid_annotator(annotator), tool, "stretch", imports=True)
    _write(session, place, statements, author, outcome)
    return outcome


def _one_at_a_time(session: Session) -> None:
    """Two that say the same at once must not both find it unsaid. SQLite's writers are alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _write(
    session: Session, place: Place, statements: Sequence[Statement], author: _Author, outcome: Outcome
) -> None:
    ours = place.annotations(session, Annotation.annotator == author.annotator)
    said = [row for row in ours if row.superseded_by_id is None]
    before = {identity_of(row): row for row in said}
    corrected = corrected_elsewhere(ours, author.tool) if author.imports else {}
    made: dict[Stretch, Annotation] = {}  # the first of each stretch
    kept: dict[Stretch, Annotation] = {}
    settled: set[int] = set()  # numbers of rows of which it is known what becomes of them
    outdated: list[tuple[Annotation, Annotation]] = []  # with what takes its place
    for statement in _fitted(place, statements):
        known = before.get(identity_of(statement))
        if known is not None:
            settled.add(known.id)
        if known is not None and known.verdict == statement.verdict and author.spoke(known):
            kept.setdefault(statement.stretch, known)
            outcome.kept.append(known)
        elif (better := corrected.get((identity_of(statement), statement.verdict))) is not None:
            outcome.kept.append(better)
        else:
            row = _new(session, place, statement, author, outcome)
            made.setdefault(statement.stretch, row)
            if known is not None:
                outdated.append((known, row))
    if author.replaces != "same":
        for row in said:
            if row.id in settled or (
                row.tool != author.tool and (author.imports or author.replaces == "all")
            ):
                continue
            stretch = (row.start_s, row.end_s)
            if (instead := made.get(stretch) or kept.get(stretch)) is not None:
                outdated.append((row, instead))
            elif author.replaces == "all" and row.verdict != "unsure":
                outdated.append((row, _new(session, place, _withdrawal(row), author, outcome)))
                outcome.withdrawn += 1
    _supersede(session, outdated, outcome)


def _correct(
    session: Session,
    place: Place,
    statements: Sequence[Statement],
    author: _Author,
    corrects: int,
    outcome: Outcome,
) -> None:
    if len(statements) != 1:
        raise LabelError(f"annotation {corrects} is corrected by one statement, not by {len(statements)}")
    (statement,) = _fitted(place, statements)
    ours = place.annotations(session, Annotation.annotator == author.annotator)
    wrong = next((row for row in ours if row.id == corrects), None)
    if wrong is None:
        raise NothingToLabelError(f"{author.annotator!r} made no annotation {corrects} of {place.name}")
    standing = [row for row in ours if row.superseded_by_id is None]
    same = next((row for row in standing if identity_of(row) == identity_of(statement)), None)
    says_so = same is not None and same.verdict == statement.verdict and author.spoke(same)
    if wrong.superseded_by_id is not None and not (says_so and same and wrong.superseded_by_id == same.id):
        raise LabelError(f"annotation {corrects} was corrected by {wrong.superseded_by_id}: correct that one")
    if same is not None and says_so:
        outcome.kept.append(same)
        outdated = [] if same is wrong or wrong.superseded_by_id is not None else [(wrong, same)]
    else:
        row = _new(session, place, statement, author, outcome)
        outdated = [(old, row) for old in {wrong.id: wrong, **({same.id: same} if same else {})}.values()]
    _supersede(session, outdated, outcome)


def _fitted(place: Place, statements: Iterable[Statement]) -> list[Statement]:
    """Each statement once, within the target."""
    found: dict[Identity, Statement] = {}
    for statement in map(place.fitted, statements):
        other = found.setdefault(identity_of(statement), statement)
        if other.verdict != statement.verdict:
            raise LabelError(
                f"{statement.class_path!r} is both {other.verdict} and {statement.verdict} in {place.name}: choose one"
            )
    return list(found.values())


def _withdrawal(row: Annotation) -> Statement:
    return Statement(row.class_path, "unsure", row.start_s, row.end_s, row.low_hz, row.high_hz)


def _new(
    session: Session, place: Place, statement: Statement, author: _Author, outcome: Outcome
) -> Annotation:
    row = Annotation(
        **place.columns(statement),
        class_path=statement.class_path,
        verdict=statement.verdict,
        start_s=statement.start_s,
        end_s=statement.end_s,
        low_hz=statement.low_hz,
        high_hz=statement.high_hz,
        annotator=author.annotator,
        tool=author.tool,
        made_at=utc_now(),
    )
    session.add(row)
    outcome.made.append(row)
    return row


def _supersede(session: Session, outdated: Sequence[tuple[Annotation, Annotation]], outcome: Outcome) -> None:
    session.flush()  # gives the new ones their numbers
    for row, better in outdated:
        row.superseded_by_id = better.id
        outcome.superseded += 1
