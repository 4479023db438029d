"""The tables, as SQLAlchemy models. Every time is aware UTC; migrations live in ``migrations/versions``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

# Named constraints, so that migrations can refer to them on every database.
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; SQLite forgets zones, so we put UTC back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime(),
        str: String(255),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class Source(Table):
    """A named input: a microphone site, a stream, an archive folder's database name."""

    __tablename__ = "sources"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    time_zone: Mapped[str] = mapped_column(default="UTC")  # IANA zone of the archive's file names


class Recording(Table):
    """One file of the archive. ``error`` is set, and the rest empty, for a file that cannot be used."""

    __tablename__ = "recordings"
    __table_args__ = (Index("ix_recordings_source_start", "source_id", "start"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    path: Mapped[str] = mapped_column(String(4096), unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    codec: Mapped[str | None]
    rate_hz: Mapped[int | None]
    channels: Mapped[int | None]
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    seconds: Mapped[float | None]
    holes: Mapped[list[Any]] = mapped_column(default=list)  # [[start_s, end_s], ...] within the file
    truncated: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(String(1000))
    warning: Mapped[str | None] = mapped_column(String(1000))  # what a person should know of start and end
    exact_start: Mapped[datetime | None]  # what the recorder wrote into the file, where it did
    source: Mapped[Source] = relationship(lazy="joined")


class Group(Table):
    """Clips that must not be split between sides; the side, once given, is kept for ever."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    side: Mapped[str | None] = mapped_column(String(16))  # train, validation, test
    side_given_at: Mapped[datetime | None]


class RecorderRule(Table):
    """Which clips are kept of live audio; see ``tidzam_platform.clips.rules``. Removed ones stay: clips name them."""

    __tablename__ = "recorder_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    specification: Mapped[dict[str, Any]]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class Clip(Table):
    """A short piece of audio kept for labelling, known by the hash of its bytes.

    What follows ``added_at`` is known of clips that were cut out of live audio, and None of imported ones.
    """

    __tablename__ = "clips"
    __table_args__ = (Index("ix_clips_channel_start", "channel", "start"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    store_key: Mapped[str]
    codec: Mapped[str]
    rate_hz: Mapped[int]
    channels: Mapped[int]
    seconds: Mapped[float]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    origin: Mapped[dict[str, Any]] = mapped_column(default=dict)  # where it came from, for people
    added_at: Mapped[datetime]
    channel: Mapped[str | None]  # <source>:out_<n>
    start: Mapped[datetime | None]
    generation: Mapped[int | None]  # that heard it
    class_path: Mapped[str | None] = mapped_column(index=True)  # what it was kept for
    score: Mapped[float | None]
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("recorder_rules.id"), index=True)
    destination: Mapped[str | None]  # of the rule, e.g. unchecked
    group: Mapped[Group] = relationship(lazy="joined")
    annotations: Mapped[list[Annotation]] = relationship(back_populates="clip")


class Annotation(Table):
    """What somebody said of a clip, a detection or a recording. Never changed: a correction supersedes it.

    One of ``clip_id``, ``detection_id`` and ``recording_id`` says of what. Where the time is known, ``channel``,
    ``start`` and ``end`` say it too, so that the annotation outlives a detection of an old generation.
    """

    __tablename__ = "annotations"
    id: Mapped[int] = mapped_column(primary_key=True)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id"), index=True)
    detection_id: Mapped[str | None] = mapped_column(String(64), index=True)  # it may lie in a Parquet file
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id"), index=True)
    channel: Mapped[str | None]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    class_path: Mapped[str] = mapped_column(index=True)
    verdict: Mapped[str] = mapped_column(String(8), default="present")  # present, absent, unsure
    start_s: Mapped[float | None]  # within the clip or recording; None: all of it
    end_s: Mapped[float | None]
    low_hz: Mapped[float | None]
    high_hz: Mapped[float | None]
    annotator: Mapped[str]
    tool: Mapped[str]
    made_at: Mapped[datetime]
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("annotations.id"))
    clip: Mapped[Clip | None] = relationship(back_populates="annotations")


class DatasetVersion(Table):
    """An immutable manifest in the store, named by the hash of its content."""

    __tablename__ = "dataset_versions"
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    store_key: Mapped[str]
    clips: Mapped[int]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    made_at: Mapped[datetime]


class Generation(Table):
    """A tree of experts; ``number`` is its version in the model server."""

    __tablename__ = "generations"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(
        String(64), unique=True
    )  # of all that made it: data, settings, code
    dataset_version: Mapped[str] = mapped_column(ForeignKey("dataset_versions.version"))
    state: Mapped[str] = mapped_column(String(16))  # candidate, refused, exported
    manifest: Mapped[dict[str, Any]] = mapped_column(default=dict)
    evaluation: Mapped[dict[str, Any]] = mapped_column(default=dict)
    made_at: Mapped[datetime]
    exported_at: Mapped[datetime | None]


class LiveDetection(Table):
    """What was heard live: the newest detections; see ``tidzam_platform.detections.query`` for all of them.

    The generation is that of the model server; the catalog need not know it.
    """

    __tablename__ = "detections"
    __table_args__ = (
        Index("ix_detections_start", "start", "id"),
        Index("ix_detections_channel_start", "channel", "start"),
        Index("ix_detections_class_start", "class_path", "start"),
    )
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    generation: Mapped[int]
    channel: Mapped[str]
    start: Mapped[datetime]
    end: Mapped[datetime]
    class_path: Mapped[str]
    score: Mapped[float]
    stored_at: Mapped[datetime]


class DetectionFile(Table):
    """Index of the Parquet files of detections: one a generation, source and day (UTC)."""

    __tablename__ = "detection_files"
    __table_args__ = (UniqueConstraint("generation", "source_id", "day"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(ForeignKey("generations.number"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    day: Mapped[date]
    store_key: Mapped[str]
    detections: Mapped[int]
    made_at: Mapped[datetime]


class ShadowHour(Table):
    """What a stable generation and a canary said of the same windows within an hour (UTC), counted.

    The row of a pair whose hour is 1970-01-01T00:00Z sums up the hours that are too old to be kept one by one.
    Generations are those of the model server; the catalog need not know them.
    """

    __tablename__ = "shadow_hours"
    stable: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    canary: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    windows: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    figures: Mapped[dict[str, Any]]  # see serving.shadow.figures


class ShadowDisagreement(Table):
    """A window for which both decided differently; only the newest of a pair are kept."""

    __tablename__ = "shadow_disagreements"
    __table_args__ = (Index("ix_shadow_disagreements_pair", "stable", "canary", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    stable: Mapped[int]
    canary: Mapped[int]
    at: Mapped[datetime]  # when they were compared
    channel: Mapped[str]
    start: Mapped[str]  # of the window: a time in UTC, or seconds into a file
    stable_class: Mapped[str]
    stable_score: Mapped[float]
    canary_class: Mapped[str]
    canary_score: Mapped[float]
    scores: Mapped[dict[str, Any]]  # class path: [of stable, of canary]


class TestSet(Table):
    """What generations are judged on: immutable, named by the hash of its content; the newest of a kind counts."""

    __tablename__ = "test_sets"
    __table_args__ = (Index("ix_test_sets_kind_made_at", "kind", "made_at"),)
    __test__ = False  # no class of tests
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # clips, recordings, noise
    store_key: Mapped[str]
    items: Mapped[int]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    made_at: Mapped[datetime]


class GenerationScore(Table):
    """Figures of a generation on a test set, so that a chart over generations compares like with like."""

    __tablename__ = "generation_scores"
    generation: Mapped[int] = mapped_column(ForeignKey("generations.number"), primary_key=True)
    test_set: Mapped[str] = mapped_column(ForeignKey("test_sets.version"), primary_key=True)
    taxonomy: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False
    )  # 0: no change of classes yet
    figures: Mapped[dict[str, Any]]
    store_key: Mapped[str]  # scores clip by clip
    made_at: Mapped[datetime]


class TaxonomyChange(Table):
    """A change of classes: ``mapping`` tells what became of each; ``version`` counts them from 1."""

    __tablename__ = "taxonomy_changes"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mapping: Mapped[dict[str, Any]]  # class path: [class paths it became]; more than one: split
    reason: Mapped[str] = mapped_column(String(1000))
    made_by: Mapped[str]
    made_at: Mapped[datetime]


class LabelQueueItem(Table):
    """A clip, or a stretch of the archive, that a person's label would teach most; see ``tidzam_platform.learning``."""

    __tablename__ = "label_queue"
    __table_args__ = (
        Index("ix_label_queue_generation_rank", "generation", "rank"),
        UniqueConstraint("generation", "item"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(ForeignKey("generations.number"))
    item: Mapped[str]  # clip:<id>, or <channel>@<start>
    rank: Mapped[int]  # from 1
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id"), index=True)
    channel: Mapped[str | None]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    class_path: Mapped[str]  # what the generation takes it for
    score: Mapped[float]
    figures: Mapped[dict[str, Any]]  # uncertainty, disagreement, diversity, need
    made_at: Mapped[datetime]


class AuditEntry(Table):
    """Something that cannot be taken back, or that overruled the gate: who did what, when and why."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    by: Mapped[str]
    action: Mapped[str] = mapped_column(String(64))  # gate.override, audio.erase, retention.remove, ...
    reason: Mapped[str] = mapped_column(String(1000))
    details: Mapped[dict[str, Any]]
