"""Rows of generations: a number for each candidate, and what became of it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select

from tidzam_platform.catalog.database import Catalog
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import CatalogError

CANDIDATE: Final = "candidate"
REFUSED: Final = "refused"
EXPORTED: Final = "exported"


def register_candidate(
    catalog: Catalog,
    fingerprint: str,
    dataset_version: str,
    manifest: dict[str, Any],
    evaluation: dict[str, Any],
) -> Generation:
    """The generation made of these ingredients: a new number the first time, the same one ever after."""
    with catalog.session() as session:
        known = session.scalar(select(Generation).where(Generation.fingerprint == fingerprint))
        if known is not None:
            return known
        generation = Generation(
            number=(session.scalar(select(func.max(Generation.number))) or 0) + 1,
            fingerprint=fingerprint,
            dataset_version=dataset_version,
            state=CANDIDATE,
            manifest=manifest,
            evaluation=evaluation,
            made_at=utc_now(),
        )
        session.add(generation)
    return generation


def get_generation(catalog: Catalog, number: int) -> Generation:
    """The generation of that number; CatalogError if there is none."""
    with catalog.reading() as session:
        generation = session.get(Generation, number)
    if generation is None:
        raise CatalogError(f"no generation {number}: ./tidzam generation list shows those that exist")
    return generation


def newest_exported(catalog: Catalog) -> Generation | None:
    """The newest generation that was exported, whether it serves or not."""
    with catalog.reading() as session:
        return session.scalar(
            select(Generation).where(Generation.state == EXPORTED).order_by(Generation.number.desc()).limit(1)
        )


def set_exported(catalog: Catalog, number: int) -> None:
    """Say that the generation stands in the model repository; the first time counts."""
    with catalog.session() as session:
        generation = session.get_one(Generation, number)
        if generation.state != EXPORTED:
            generation.state = EXPORTED
            generation.exported_at = utc_now()
