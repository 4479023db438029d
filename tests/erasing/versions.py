"""Rows of dataset versions, changed for tests."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import DatasetVersion, Generation
from tidzam_platform.clock import utc_now


def replace_version(session: Session, old: str, new: str, key: str) -> None:
    """Let generations of one version be of another one."""
    session.add(DatasetVersion(version=new, store_key=key, clips=0, summary={}, made_at=utc_now()))
    session.flush()
    session.execute(update(Generation).values(dataset_version=new))
    session.delete(session.get_one(DatasetVersion, old))
