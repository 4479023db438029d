"""Recordings of the archive's own folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, or_, select

from tidzam_platform.archive.rows import remove_rows
from tidzam_platform.catalog.tables import Annotation, Recording, Source
from tidzam_platform.crash_points import reach
from tidzam_platform.retention.policy import NOT_LET, Outcome, Work, remove_file
from tidzam_platform.retention.protected import protected_hashes

_READ: Final = 500


def recordings(work: Work) -> Outcome | None:
    """Remove recordings that ended ``retention.recordings_days`` ago or earlier.

    Those that people labelled stay, as a whole, and so do those of other folders than the archive's own, which were
    only indexed. A file goes before its row: killed in between, the next run finds the row and removes it.
    """
    days = work.home.settings.retention.recordings_days
    if days is None:
        return None
    outcome = Outcome("recordings", "retention.recordings_days", days)
    folder = work.home.settings.archive_folder
    protected = protected_hashes(work.home)
    last_id = 0
    while True:
        with work.home.catalog.reading() as session:
            query = select(
                Recording.id, Recording.path, Recording.sha256, Recording.size_bytes, Recording.start
            )
            query = query.add_columns(_labelled().label("labelled")).join(Recording.source)
            query = query.where(_ended_before(work.before(days)), Recording.id > last_id)
            rows = session.execute(query.order_by(Recording.id).limit(_READ)).all()
        if not rows:
            return outcome
        last_id = rows[-1].id
        for row in rows:
            path = Path(row.path)
            if not path.is_relative_to(folder):
                outcome.kept[f"it lies outside of {folder}"] += 1
            elif row.labelled or (work.apply and _labelled_meanwhile(work, row.id)):
                outcome.kept["people labelled it"] += 1
            elif row.sha256 in protected:
                outcome.kept["a test set names it"] += 1
            elif not work.apply or remove_file(path):
                outcome.add(row.path, row.start, row.size_bytes)
                if work.apply:
                    _remove_row(work, outcome, row.id, path)
            else:
                outcome.kept[NOT_LET] += 1


def _labelled_meanwhile(work: Work, number: int) -> bool:
    """Looked at just before the file goes: many others went since it was read whether somebody labelled it."""
    with work.home.catalog.reading() as session:
        found = session.scalar(
            select(_labelled()).select_from(Recording).join(Recording.source).where(Recording.id == number)
        )
    return bool(found)


def _remove_row(work: Work, outcome: Outcome, number: int, path: Path) -> None:
    reach("retention.recording_file")
    with work.home.catalog.session() as session:
        remove_rows(session, {number: str(path)})
        work.audit(session, outcome)
    reach("retention.recording_row")


def _ended_before(moment: datetime) -> ColumnElement[bool]:
    """Of one that cannot be used only the beginning is known."""
    return or_(Recording.end < moment, and_(Recording.end.is_(None), Recording.start < moment))


def _labelled() -> ColumnElement[bool]:
    """Whether people said anything of the recording, or of a channel of its source while it was recorded."""
    meanwhile = and_(
        Annotation.channel.startswith(Source.name + ":", autoescape=False),
        Annotation.start < Recording.end,
        Annotation.end > Recording.start,
    )
    return exists().where(or_(Annotation.recording_id == Recording.id, meanwhile))
