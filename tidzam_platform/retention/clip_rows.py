"""Rows of clips whose audio goes: what people said of them stays, with channel and time where those are known."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import Annotation, Clip, LabelQueueItem


def forget_clips(session: Session, ids: Collection[int]) -> int:
    """Remove the rows of these clips; their annotations stay, without the clip. Returns how many there were."""
    removed = 0
    for clip in session.scalars(select(Clip).where(Clip.id.in_(ids))).all():
        start, length = clip.start, timedelta(seconds=clip.seconds)
        for said in session.scalars(select(Annotation).where(Annotation.clip_id == clip.id)).all():
            if said.start is None and start is not None:
                said.channel = clip.channel
                said.start = start + timedelta(seconds=said.start_s or 0.0)
                said.end = start + (length if said.end_s is None else timedelta(seconds=said.end_s))
        session.flush()
        session.execute(update(Annotation).where(Annotation.clip_id == clip.id).values(clip_id=None))
        session.execute(delete(LabelQueueItem).where(LabelQueueItem.clip_id == clip.id))
        session.execute(delete(Clip).where(Clip.id == clip.id))
        removed += 1
    return removed
