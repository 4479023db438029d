"""What can be labelled: clips, detections, and channels of recordings; and how people name clips and recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import Annotation, Clip, Recording
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import LabelError, NothingToLabelError
from tidzam_platform.labels.statement import Statement
from tidzam_platform.names import channel as channel_name

OVERSHOOT_S: Final = 0.1  # programs round the end of a file up
_SAME_MOMENT: Final = timedelta(milliseconds=1)
_ID: Final = re.compile(r"[1-9][0-9]{0,8}")
_SHOWN: Final = 3


@dataclass(frozen=True)
class ClipTarget:
    """A clip, by its row."""

    clip_id: int


@dataclass(frozen=True)
class DetectionTarget:
    """A detection; it is labelled whole."""

    detection: Detection


@dataclass(frozen=True)
class RecordingTarget:
    """A channel (from 1) of a recording, by its row."""

    recording_id: int
    number: int


Target = ClipTarget | DetectionTarget | RecordingTarget


@dataclass(frozen=True)
class Place:
    """Where a target lies: one of the three ids; channel, start (UTC) and length as far as they are known."""

    clip_id: int | None = None
    detection_id: str | None = None
    recording_id: int | None = None
    channel: str | None = None
    start: datetime | None = None
    seconds: float | None = None

    @property
    def name(self) -> str:
        """For messages."""
        if self.clip_id is not None:
            return f"clip {self.clip_id}"
        if self.detection_id is not None:
            return f"detection {self.detection_id}"
        return f"recording {self.recording_id}, {self.channel}"

    def fitted(self, statement: Statement) -> Statement:
        """The statement with its end within the target; LabelError if it lies outside, or must speak of the whole."""
        if statement.start_s is None or statement.end_s is None:
            return statement
        if self.detection_id is not None:
            raise LabelError(f"{self.name} is labelled as a whole: leave out start_s and end_s")
        if self.seconds is None or statement.end_s <= self.seconds:
            return statement
        if statement.start_s >= self.seconds or statement.end_s > self.seconds + OVERSHOOT_S:
            raise LabelError(
                f"{statement.class_path!r} from {statement.start_s} to {statement.end_s} s lies outside "
                f"{self.name}, which has {self.seconds:.3f} s"
            )
        return replace(statement, end_s=self.seconds)

    def columns(self, statement: Statement) -> dict[str, Any]:
        """What an annotation keeps of the place, and of the time where that is known."""
        start = end = None
        if self.start is not None and self.seconds is not None:
            start = self.start + timedelta(seconds=statement.start_s or 0.0)
            end = self.start + timedelta(seconds=self.seconds if statement.end_s is None else statement.end_s)
        return {
            "clip_id": self.clip_id,
            "detection_id": self.detection_id,
            "recording_id": self.recording_id,
            "channel": self.channel,
            "start": start,
            "end": end,
        }

    def annotations(self, session: Session, *conditions: ColumnElement[bool]) -> Sequence[Annotation]:
        """The annotations of this target; those of a recording that was removed and came back are taken over."""
        found = session.scalars(
            select(Annotation).where(self._is_of_it(), *conditions).order_by(Annotation.id)
        ).all()
        if self.recording_id is None:
            return found
        ours = [row for row in found if row.recording_id == self.recording_id or self._is_same_moment(row)]
        for row in ours:
            row.recording_id = self.recording_id
        return ours

    def _is_of_it(self) -> ColumnElement[bool]:
        if self.clip_id is not None:
            return Annotation.clip_id == self.clip_id
        if self.detection_id is not None:
            return Annotation.detection_id == self.detection_id
        homeless = and_(
            Annotation.recording_id.is_(None),
            Annotation.clip_id.is_(None),
            Annotation.detection_id.is_(None),
            Annotation.start >= self.start,
        )
        return and_(
            Annotation.channel == self.channel, or_(Annotation.recording_id == self.recording_id, homeless)
        )

    def _is_same_moment(self, row: Annotation) -> bool:
        if row.start is None or self.start is None:
            return False
        return abs(row.start - self.start - timedelta(seconds=row.start_s or 0.0)) <= _SAME_MOMENT


def place_of(session: Session, target: Target) -> Place:
    """Where a target lies.

    Raises:
        NothingToLabelError: no such clip or recording, or the recording has no such channel.
        LabelError: the recording cannot be used.
    """
    if isinstance(target, DetectionTarget):
        heard = target.detection
        seconds = (heard.end - heard.start).total_seconds()
        return Place(detection_id=heard.id, channel=heard.channel, start=heard.start, seconds=seconds)
    if isinstance(target, ClipTarget):
        clip = session.get(Clip, target.clip_id)
        if clip is None:
            raise NothingToLabelError(f"no clip {target.clip_id}")
        return Place(clip_id=clip.id, channel=clip.channel, start=clip.start, seconds=clip.seconds)
    recording = session.get(Recording, target.recording_id)
    if recording is None:
        raise NothingToLabelError(f"no recording {target.recording_id}: see ./tidzam archive list")
    if recording.error is not None or recording.seconds is None or recording.channels is None:
        raise LabelError(f"{recording.path} cannot be labelled, since it cannot be used: {recording.error}")
    if not 1 <= target.number <= recording.channels:
        raise NothingToLabelError(
            f"{recording.path} has channels 1 to {recording.channels}: there is no channel {target.number}"
        )
    return Place(
        recording_id=recording.id,
        channel=channel_name(recording.source.name, target.number),
        start=recording.start,
        seconds=recording.seconds,
    )


def find_clip(session: Session, text: str) -> Clip:
    """The clip of that number or SHA-256; NothingToLabelError if there is none."""
    query = select(Clip).where(Clip.id == int(text) if _ID.fullmatch(text) else Clip.sha256 == text.lower())
    clip = session.scalar(query)
    if clip is None:
        raise NothingToLabelError(f"no clip {text!r}: give its number or the SHA-256 of its bytes")
    return clip


def find_recording(session: Session, text: str) -> Recording:
    """The recording of that number, path or file name (with or without its suffix).

    Raises:
        NothingToLabelError: there is none, or several go by that name.
    """
    if _ID.fullmatch(text):
        found = list(session.scalars(select(Recording).where(Recording.id == int(text))))
    elif "/" in text:
        found = list(session.scalars(select(Recording).where(Recording.path == text)))
    else:
        # LIKE narrows it down; it folds case on SQLite, so names are compared here
        alike = select(Recording).where(Recording.path.contains(f"/{text}", autoescape=True))
        paths = [(row, PurePath(row.path)) for row in session.scalars(alike)]
        found = [row for row, path in paths if path.name == text]
        found = found or [row for row, path in paths if path.stem == text]
    if not found:
        raise NothingToLabelError(
            f"the catalog knows no recording {text!r}: index its folder with ./tidzam archive index FOLDER"
        )
    if len(found) > 1:
        paths_of = ", ".join(row.path for row in found[:_SHOWN])
        raise NothingToLabelError(
            f"{len(found)} recordings go by {text!r}: name one by its path ({paths_of})"
        )
    return found[0]
