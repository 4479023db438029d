"""Clips of live audio of which nobody ever said anything; and removing clips, row and object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import Clip, LabelQueueItem
from tidzam_platform.clips.counting import is_removable
from tidzam_platform.clips.objects import delete_clip_objects
from tidzam_platform.clips.removal import RemovalJournal, finish_removals
from tidzam_platform.crash_points import reach
from tidzam_platform.home import Home
from tidzam_platform.retention.policy import Outcome, Work
from tidzam_platform.retention.protected import protected_hashes

_BATCH: Final = 50  # keys of one batch fit into the journal
_READ: Final = 1000


@dataclass(frozen=True)
class OldClip:
    """A clip that goes."""

    id: int
    store_key: str
    size_bytes: int
    added_at: datetime | None = None


def unlabelled_clips(work: Work) -> Outcome | None:
    """Remove clips that came ``retention.unlabelled_clips_days`` ago or earlier, unless something needs them."""
    days = work.home.settings.retention.unlabelled_clips_days
    if days is None:
        return None
    outcome = Outcome("unlabelled clips", "retention.unlabelled_clips_days", days)
    journal = removal_journal(work.home)
    if work.apply:
        finish_removals(work.home.catalog, work.home.store, journal)
    protected: set[str] | None = None
    last_id = 0
    while True:
        with work.home.catalog.reading() as session:
            query = select(
                Clip.id, Clip.sha256, Clip.store_key, Clip.origin, Clip.added_at, _queued().label("queued")
            )
            query = query.where(is_removable(), Clip.added_at < work.before(days), Clip.id > last_id)
            rows = session.execute(query.order_by(Clip.id).limit(_READ)).all()
        if not rows:
            return outcome
        last_id = rows[-1].id
        protected = protected_hashes(work.home) if protected is None else protected
        old: list[OldClip] = []
        for row in rows:
            if row.sha256 in protected:
                outcome.kept["a dataset version or test set names it"] += 1
            elif row.queued:
                outcome.kept["it is queued for labelling"] += 1
            else:
                old.append(OldClip(row.id, row.store_key, int(row.origin.get("bytes", 0)), row.added_at))
        if work.apply:
            _remove(work, outcome, journal, old)
        else:
            for clip in old:
                outcome.add(clip.store_key, clip.added_at, clip.size_bytes)


def removal_journal(home: Home) -> RemovalJournal:
    """What is being removed just now, by us; the analyzer has one of its own."""
    return RemovalJournal(Path(home.settings.locks_folder, "clip-removals"))


def remove_clips(
    home: Home,
    journal: RemovalJournal,
    clips: Sequence[OldClip],
    take_row: Callable[[Session, OldClip], bool],
) -> list[OldClip]:
    """Remove clips, rows before objects, so that the catalog names nothing that is not there.

    Args:
        home: whose clips.
        journal: of objects whose rows are gone; ``finish_removals`` completes what was begun.
        clips: which.
        take_row: removes the row of one; False if it stays.

    Returns those that are gone.
    """
    gone: list[OldClip] = []
    for first in range(0, len(clips), _BATCH):
        batch = clips[first : first + _BATCH]
        journal.write([clip.store_key for clip in batch])
        reach("retention.clips_noted")
        removed = []
        for clip in batch:
            try:
                with home.catalog.session() as session:
                    is_gone = take_row(session, clip)
            except IntegrityError:  # somebody labels it this moment: it stays
                continue
            if is_gone:
                removed.append(clip)
            reach("retention.clip_row")
        for clip in removed:
            delete_clip_objects(home.store, clip.store_key)
        reach("retention.clip_objects")
        journal.write([])
        gone += removed
    return gone


def _remove(work: Work, outcome: Outcome, journal: RemovalJournal, old: Sequence[OldClip]) -> None:
    def take_row(session: Session, clip: OldClip) -> bool:
        found = session.execute(delete(Clip).where(Clip.id == clip.id, is_removable()).returning(Clip.id))
        if found.first() is None:
            return False
        outcome.add(clip.store_key, clip.added_at, clip.size_bytes)
        work.audit(session, outcome)
        return True

    gone = remove_clips(work.home, journal, old, take_row)
    if len(gone) < len(old):
        outcome.kept["somebody labelled it meanwhile"] += len(old) - len(gone)


def _queued() -> ColumnElement[bool]:
    return exists().where(LabelQueueItem.clip_id == Clip.id)
