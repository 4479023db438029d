"""What the model repository lets go: files of detections of old generations, and retired versions.

Found by the entry points ``tidzam.retention``: ``tidzam_platform.retention`` knows no model repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import select

from serving.repository import ModelRepository
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.crash_points import reach
from tidzam_platform.detections.file_changes import keep_others_out
from tidzam_platform.errors import ObjectNotFoundError
from tidzam_platform.home import Home
from tidzam_platform.retention import Outcome, Work

_PREFIX: Final = "detections/generation="


def old_detections(work: Work) -> Outcome | None:
    """Remove files of detections, ``retention.old_detections_days`` old, of generations that nobody needs.

    The row goes before the file. What a kill leaves between the two is a file that no row names; it goes next time.
    """
    home = work.home
    days = home.settings.retention.old_detections_days
    if days is None:
        return None
    outcome = Outcome("detections of old generations", "retention.old_detections_days", days)
    needed = _needed(ModelRepository(home.settings.models_folder))
    with home.catalog.reading() as session:
        rows = session.execute(
            select(DetectionFile.id, DetectionFile.generation, DetectionFile.store_key, DetectionFile.made_at)
            .where(DetectionFile.made_at < work.before(days))
            .order_by(DetectionFile.id)
        ).all()
    for row in rows:
        if not needed:
            outcome.kept["no generation is in service: nobody knows which are old"] += 1
            continue
        if row.generation in needed:
            outcome.kept[f"generation {row.generation} serves, has a label, or could be rolled back to"] += 1
            continue
        outcome.add(row.store_key, row.made_at, _size_bytes(home, row.store_key))
        if work.apply:
            with home.catalog.session() as session:
                keep_others_out(session, row.store_key)
                found = session.get(DetectionFile, row.id)
                if found is not None and found.made_at == row.made_at:  # else it was written anew
                    session.delete(found)
                    work.audit(session, outcome)
            reach("retention.detections_row")
            _remove_if_unnamed(home, row.store_key)
            reach("retention.detections_file")
    if work.apply and needed:
        _remove_orphans(home, needed)
    return outcome


def retired_models(work: Work) -> Outcome | None:
    """Remove versions that were retired ``retention.retired_models_days`` ago or earlier."""
    days = work.home.settings.retention.retired_models_days
    if days is None:
        return None
    outcome = Outcome("retired models", "retention.retired_models_days", days)
    repository = ModelRepository(work.home.settings.models_folder)
    there = set(repository.versions())
    old: set[int] = set()
    for version, change in sorted(repository.retirements().items()):
        if version in there and change.time < work.before(days):
            old.add(version)
            size_bytes = sum(path.stat().st_size for path in _files(repository.path(version)))
            outcome.add(f"version {version}", change.time, size_bytes)
    if work.apply and old:
        with work.home.catalog.session() as session:
            work.audit(session, outcome)
        repository.collect_garbage(len(there), only=old)
    return outcome


def _needed(repository: ModelRepository) -> set[int]:
    versions = {*repository.labels().values(), repository.in_service(), repository.rollback_target()}
    return {version for version in versions if version is not None}


def _remove_if_unnamed(home: Home, key: str) -> None:
    with home.catalog.session() as session:  # nobody writes the file meanwhile
        keep_others_out(session, key)
        if session.scalar(select(DetectionFile.id).where(DetectionFile.store_key == key)) is None:
            home.store.delete(key)


def _remove_orphans(home: Home, needed: set[int]) -> None:
    with home.catalog.reading() as session:
        named = set(session.scalars(select(DetectionFile.store_key)))
    for key in list(home.store.keys(_PREFIX)):
        generation = key.removeprefix(_PREFIX).partition("/")[0]
        if key not in named and generation.isdecimal() and int(generation) not in needed:
            _remove_if_unnamed(home, key)


def _size_bytes(home: Home, key: str) -> int:
    try:
        return home.store.size_bytes(key)
    except ObjectNotFoundError:
        return 0


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
