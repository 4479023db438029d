"""What is to be erased: where people were heard, and which recordings and clips hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tidzam_platform.archive.erased_tag import Span, covers, joined
from tidzam_platform.catalog.tables import Annotation, Clip, DatasetVersion, Recording, Source
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.taxonomy_changes import read_taxonomy
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import QueryError
from tidzam_platform.home import Home
from tidzam_platform.labels.class_paths import is_within, valid_class_path
from tidzam_platform.names import valid_source

MARGIN_S: Final = (
    1.0  # detections begin and end on a grid of windows, and names of recordings on whole seconds
)
_LONGEST: Final = timedelta(days=1)  # of an event: one that began before the range may reach into it


@dataclass(frozen=True)
class ErasingRequest:
    """What somebody wants erased.

    Attributes:
        class_path: this class and those below it, also by what it was called before or became since (taxonomy).
        source: a source, with all its channels.
        since: aware.
        until: aware.
        margin_s: what is erased before and after each detection too.
        dataset_clips: clips that a dataset version names are removed too.

    Raises:
        QueryError: a time without a zone, or a range that ends before it begins.
        InvalidNameError: that is no class path, or no source.
    """

    class_path: str
    source: str
    since: datetime
    until: datetime
    margin_s: float = MARGIN_S
    dataset_clips: bool = False

    def __post_init__(self) -> None:
        valid_class_path(self.class_path)
        valid_source(self.source)
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise QueryError("both times need a zone: add Z for UTC")
        if not self.since < self.until:
            raise QueryError(f"from {self.since.isoformat()} is not before to {self.until.isoformat()}")


@dataclass(frozen=True)
class RecordingPart:
    """Stretches of one recording.

    Attributes:
        id: of its row.
        path: of the file.
        seconds: its length.
        spans: what is to be erased, in s of the file; what was erased before is not among it.
    """

    id: int
    path: str
    seconds: float
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class ClipToErase:
    """A clip that holds some of it; ``versions`` are the dataset versions that name it."""

    id: int
    sha256: str
    store_key: str
    versions: tuple[str, ...]


@dataclass
class ErasingPlan:
    """What would be erased.

    Attributes:
        request: what was asked for.
        detections: of the class in the range.
        stretches: begin and end, aware, of what is erased on all channels of the source.
        recordings: that hold audio of it.
        clips: that hold audio of it, and go.
        kept_clips: that hold audio of it, and stay since a dataset version names them.
        unusable: recordings of the range that cannot be read: nobody knows what is in them.
    """

    request: ErasingRequest
    detections: int = 0
    stretches: list[tuple[datetime, datetime]] = field(default_factory=list)
    recordings: list[RecordingPart] = field(default_factory=list)
    clips: list[ClipToErase] = field(default_factory=list)
    kept_clips: list[ClipToErase] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of audio in recordings."""
        return sum(end_s - start_s for part in self.recordings for start_s, end_s in part.spans)


def plan_erasing(home: Home, request: ErasingRequest) -> ErasingPlan:
    """Look up what a request means; nothing changes.

    Heard is what any generation detected, and what people labelled. All channels of the source are erased in such a
    stretch: a voice is in many microphones, and a packet of a recording holds all channels.
    """
    plan = ErasingPlan(request)
    _find_stretches(home, plan)
    if not plan.stretches:
        return plan
    with home.catalog.reading() as session:
        _find_recordings(session, plan)
        clips = _clips(session, plan)
        versions = session.scalars(select(DatasetVersion.version)).all()
    naming: dict[str, list[str]] = {}
    for version in versions if clips else ():
        for sha256 in {row.clip_sha256 for row in load_manifest(home.catalog, home.store, version).rows}:
            naming.setdefault(sha256, []).append(version)
    for clip in clips:
        named = ClipToErase(clip.id, clip.sha256, clip.store_key, tuple(sorted(naming.get(clip.sha256, ()))))
        (plan.clips if request.dataset_clips or not named.versions else plan.kept_clips).append(named)
    return plan


def _find_stretches(home: Home, plan: ErasingPlan) -> None:
    request = plan.request
    taxonomy = read_taxonomy(home.catalog)
    wanted = request.class_path
    names = tuple(dict.fromkeys((wanted, *taxonomy.targets(wanted), *taxonomy.sources(wanted))))
    query = DetectionQuery(
        since=request.since - _LONGEST,
        until=request.until,
        channels=(f"{request.source}:*",),
        classes=names,
    )
    heard = []
    for one in DetectionReader(home.catalog, home.store).all(query):
        if one.end > request.since:
            plan.detections += 1
            heard.append((one.start, one.end))
    with home.catalog.reading() as session:
        said = session.execute(
            select(Annotation.start, Annotation.end, Annotation.class_path).where(
                Annotation.channel.startswith(f"{request.source}:", autoescape=True),
                Annotation.superseded_by_id.is_(None),
                Annotation.verdict == "present",
                Annotation.start < request.until,
                Annotation.end > request.since,
            )
        )
        heard += [
            (start, end)
            for start, end, path in said
            if start and end and any(is_within(path, name) for name in names)
        ]
    margin = timedelta(seconds=request.margin_s)
    for start, end in sorted(heard):
        begin, until = max(start, request.since) - margin, min(end, request.until) + margin
        if plan.stretches and begin <= plan.stretches[-1][1]:
            plan.stretches[-1] = (plan.stretches[-1][0], max(plan.stretches[-1][1], until))
        else:
            plan.stretches.append((begin, until))


def _find_recordings(session: Session, plan: ErasingPlan) -> None:
    first, last = plan.stretches[0][0], plan.stretches[-1][1]
    rows = session.scalars(
        select(Recording)
        .join(Recording.source)
        .where(
            Source.name == plan.request.source,
            Recording.start < last,
            or_(Recording.end > first, Recording.end.is_(None)),
        )
        .order_by(Recording.start, Recording.path)
    ).all()
    for row in rows:
        if row.seconds is None or row.end is None:
            if row.start > first - _LONGEST:
                plan.unusable.append(row.path)
            continue
        known = [(float(start_s), float(end_s)) for start_s, end_s in row.holes]
        spans = [span for span in _within(plan.stretches, row.start, row.seconds) if not covers(known, span)]
        if spans:
            plan.recordings.append(RecordingPart(row.id, row.path, row.seconds, tuple(spans)))


def _within(
    stretches: Sequence[tuple[datetime, datetime]], zero: datetime, seconds: float
) -> tuple[Span, ...]:
    return joined(
        (max((begin - zero).total_seconds(), 0.0), min((until - zero).total_seconds(), seconds))
        for begin, until in stretches
    )


def _clips(session: Session, plan: ErasingPlan) -> list[Clip]:
    """Clips of the source that overlap a stretch."""
    first, last = plan.stretches[0][0], plan.stretches[-1][1]
    rows = session.scalars(
        select(Clip)
        .where(
            Clip.channel.startswith(f"{plan.request.source}:", autoescape=True),
            Clip.start < last,
            Clip.start > first - _LONGEST,
        )
        .order_by(Clip.id)
    ).unique()
    return [
        clip
        for clip in rows
        if clip.start is not None
        and any(
            clip.start < until and clip.start + timedelta(seconds=clip.seconds) > begin
            for begin, until in plan.stretches
        )
    ]
