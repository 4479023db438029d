"""What becomes of the labels of a recording whose row changes or goes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, object_session

from tidzam_platform.catalog.tables import Annotation, Recording
from tidzam_platform.names import channel as channel_name
from tidzam_platform.names import split_channel


def labels_outlive(session: Session, recording_id: int) -> None:
    """The recording goes: its labels keep channel and time, and are taken over where it comes back."""
    session.execute(
        update(Annotation).where(Annotation.recording_id == recording_id).values(recording_id=None)
    )


def labels_follow(recording: Recording) -> None:
    """Bring channel and time of a recording's labels up to date; seconds within it stay what they are."""
    session = object_session(recording)
    if session is None or recording.id is None or recording.seconds is None:
        return  # it is new, or cannot be used
    with session.no_autoflush:
        labels = session.scalars(select(Annotation).where(Annotation.recording_id == recording.id)).all()
    for label in labels:
        if label.channel is not None:
            label.channel = channel_name(recording.source.name, split_channel(label.channel)[1])
        label.start = recording.start + timedelta(seconds=label.start_s or 0.0)
        length_s = recording.seconds if label.end_s is None else label.end_s
        label.end = recording.start + timedelta(seconds=length_s)
