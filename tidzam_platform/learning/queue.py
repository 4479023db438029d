"""The queue of what to label next: written once a generation, read by people, pages and programs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, delete, exists, func, or_, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.generations import EXPORTED, get_generation
from tidzam_platform.catalog.tables import Annotation, Clip, Generation, LabelQueueItem
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.errors import TidzamError
from tidzam_platform.home import Home
from tidzam_platform.learning.archive_windows import ArchiveWindow, archive_windows, window_end, window_item
from tidzam_platform.learning.candidates import labelled_clips, still_there, unlabelled_clips
from tidzam_platform.learning.clip_cache import ClipCache, StoredClip
from tidzam_platform.learning.ranking import COMMITTEE, Figures, Ranked, rank

MAX_PAGE: Final = 1000
CACHE_FOLDER: Final = "learning"  # in the home's cache
_GENERATIONS_KEPT: Final = 5  # with a queue; older ones are of no use


@dataclass(frozen=True)
class QueueReport:
    """What a ranking did: of how many clips and archive windows, and how many rows the queue has."""

    generation: int
    clips: int
    archive_windows: int
    committee: tuple[int, ...]
    rows: int
    content: str  # hash of what stands in it, and in which order


@dataclass(frozen=True)
class QueueEntry:
    """One row of the queue that nobody labelled yet."""

    rank: int
    generation: int
    item: str
    clip_id: int | None
    channel: str | None
    start: datetime | None
    end: datetime | None
    seconds: float | None
    class_path: str
    score: float
    figures: dict[str, Any]
    made_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "rank": self.rank,
            "item": self.item,
            "clip": self.clip_id,
            "channel": self.channel,
            "start": None if self.start is None else format_utc(self.start),
            "end": None if self.end is None else format_utc(self.end),
            "seconds": self.seconds,
            "class_path": self.class_path,
            "score": self.score,
            **{name: self.figures.get(name) for name in _FIGURES},
        }


_FIGURES: Final = tuple(field.name for field in fields(Figures))


def rank_clips(
    home: Home, number: int, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> QueueReport:
    """Rank what is not labelled by generation ``number``, and make that its queue: what was there before is replaced.

    Other generations that were exported may disagree. ``progress`` is told how many clips of how many are heard.
    Clips that are removed meanwhile, as the disk policy does at any time, are left out.

    Raises:
        CatalogError: no such generation.
        AudioError, StoreError: a clip cannot be read.
    """
    settings = home.settings.learning
    generation = get_generation(home.catalog, number)
    tree = TrainedTree.load(home.store, _weights(generation))
    others = _committee(home.catalog, number)
    fresh = unlabelled_clips(home.catalog, settings.candidates)
    known = labelled_clips(load_manifest(home.catalog, home.store, generation.dataset_version))
    cache = ClipCache(home.settings.home / "cache" / CACHE_FOLDER, tree.front_end)
    total, done = len(fresh) + len(known), 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    clips = cache.load(home.store, fresh, told, is_gone=lambda clip: not still_there(home.catalog, [clip.id]))
    by_hash = {clip.sha256: clip for clip in fresh}
    fresh = [by_hash[clip.sha256] for clip in clips]
    labelled = cache.load(home.store, known, told)
    cache.forget_others([*fresh, *known])
    windows = archive_windows(home.catalog, home.store, tree.front_end, settings.archive_windows)
    ranked = rank(
        tree,
        [*clips, *(window.features for window in windows)],
        labelled,
        settings.queue,
        committee=[TrainedTree.load(home.store, _weights(other)) for other in others],
    )
    rows = _write(home.catalog, number, _rows(number, ranked, fresh, windows))
    content = hashlib.sha256("\n".join(row.item for row in rows).encode()).hexdigest()[:16]
    committee = tuple(other.number for other in others)
    return QueueReport(number, len(clips), len(windows), committee, len(rows), content)


def read_queue(catalog: Catalog, *, limit: int = 100, generation: int | None = None) -> list[QueueEntry]:
    """What to label next, the first first: what was labelled since the ranking is left out.

    Args:
        catalog: where the queue is.
        limit: 1 to 1000.
        generation: whose; None: the newest that has one.

    Raises:
        TidzamError: the limit makes no sense.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise TidzamError(f"a page of the queue has 1 to {MAX_PAGE} entries, not {limit}")
    stands = Annotation.superseded_by_id.is_(None)
    said_of_clip = exists().where(stands, Annotation.clip_id == LabelQueueItem.clip_id)
    said_of_stretch = exists().where(
        stands,
        Annotation.channel == LabelQueueItem.channel,
        Annotation.start < LabelQueueItem.end,
        Annotation.end > LabelQueueItem.start,
    )
    open_clip = and_(LabelQueueItem.clip_id.is_not(None), ~said_of_clip)
    open_stretch = and_(LabelQueueItem.clip_id.is_(None), ~said_of_stretch)
    with catalog.reading() as session:
        if generation is None:
            generation = session.scalar(select(func.max(LabelQueueItem.generation)))
        rows = session.execute(
            select(LabelQueueItem, Clip.seconds)
            .outerjoin(Clip, LabelQueueItem.clip_id == Clip.id)
            .where(LabelQueueItem.generation == generation, or_(open_clip, open_stretch))
            .order_by(LabelQueueItem.rank)
            .limit(limit)
        ).all()
        return [_entry(row, seconds) for row, seconds in rows]


def _weights(generation: Generation) -> str:
    """Prefix of the tree in the store; one tree holds all experts."""
    return str(generation.manifest["experts"]["selector"]["weights"])


def _committee(catalog: Catalog, number: int) -> list[Generation]:
    """The generations that were exported last, without this one."""
    with catalog.reading() as session:
        found = session.scalars(
            select(Generation)
            .where(Generation.state == EXPORTED, Generation.number != number)
            .order_by(Generation.number.desc())
            .limit(COMMITTEE)
        )
        return list(found)


def _rows(
    number: int, ranked: Sequence[Ranked], clips: Sequence[StoredClip], windows: Sequence[ArchiveWindow]
) -> list[LabelQueueItem]:
    made_at, rows = utc_now(), []
    for place, one in enumerate(ranked, start=1):
        row = LabelQueueItem(
            generation=number,
            rank=place,
            class_path=one.class_path,
            score=one.score,
            figures=one.figures.to_dict(),
            made_at=made_at,
        )
        if one.index < len(clips):
            row.clip_id = clips[one.index].id
            row.item = f"clip:{row.clip_id}"
        else:
            detection = windows[one.index - len(clips)].detection
            row.item = window_item(detection)
            row.channel, row.start = detection.channel, detection.start
            row.end = detection.start + window_end(detection)
        rows.append(row)
    return rows


def _write(catalog: Catalog, number: int, rows: Sequence[LabelQueueItem]) -> list[LabelQueueItem]:
    """Returns what was written: clips that went meanwhile are left out."""
    with catalog.session() as session:
        session.execute(delete(LabelQueueItem).where(LabelQueueItem.generation == number))
        session.flush()
        there = set(session.scalars(select(Clip.id).where(Clip.id.in_([row.clip_id for row in rows]))))
        rows = [row for row in rows if row.clip_id is None or row.clip_id in there]
        for place, row in enumerate(rows, start=1):
            row.rank = place
        session.add_all(rows)
        session.flush()
        numbers = select(LabelQueueItem.generation).distinct().order_by(LabelQueueItem.generation.desc())
        kept = session.scalars(numbers.limit(_GENERATIONS_KEPT)).all()
        session.execute(delete(LabelQueueItem).where(LabelQueueItem.generation.not_in(kept)))
    return rows


def _entry(row: LabelQueueItem, seconds: float | None) -> QueueEntry:
    if seconds is None and row.start is not None and row.end is not None:
        seconds = (row.end - row.start).total_seconds()
    return QueueEntry(
        rank=row.rank,
        generation=row.generation,
        item=row.item,
        clip_id=row.clip_id,
        channel=row.channel,
        start=row.start,
        end=row.end,
        seconds=seconds,
        class_path=row.class_path,
        score=row.score,
        figures=row.figures,
        made_at=row.made_at,
    )
