"""Clips made for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.recording_clips import RecordedClip, clip_bytes, record_clip, spool_clip
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import StoredRule, add_rule
from tidzam_platform.store import ObjectStore

NOON_NS = 1_775_044_800_000_000_000  # 2026-04-01T12:00:00Z
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
GROUP_S = 600


def noise16(frames: int, seed: int = 0) -> NDArray[np.int16]:
    """Every value of 16 bits may be in it."""
    return np.random.default_rng(seed).integers(-32768, 32768, frames).astype(np.int16)


def metadata(
    class_path: str = "birds-robin",
    *,
    rule_id: int = 1,
    channel: str = "marsh:out_1",
    at_s: float = 0,
    score: float = 0.7,
    generation: int = 3,
) -> ClipMetadata:
    return ClipMetadata(
        channel=channel,
        start_utc_ns=NOON_NS + round(at_s * 1e9),
        class_path=class_path,
        score=score,
        scores={class_path: score, "rain": 0.1},
        window=(0.5, 1.5),
        level_dbfs=-31.5,
        generation=generation,
        rule_id=rule_id,
        destination="unchecked",
    )


def rule(catalog: Catalog, **spec: object) -> StoredRule:
    return add_rule(catalog, RecorderRuleSpec.parse(spec), "ann")


def break_rule(catalog: Catalog, specification: str) -> int:
    """A rule whose specification is this text, as a later version or a damaged disk leaves it; returns its number."""
    made = rule(catalog)
    with catalog.session() as session:
        # Not through the table's own type, which would write JSON of it.
        session.execute(
            text("UPDATE recorder_rules SET specification = :said WHERE id = :id"),
            {"said": specification, "id": made.id},
        )
    return made.id


def record(
    catalog: Catalog,
    store: ObjectStore,
    folder: Path,
    about: ClipMetadata,
    *,
    frames: int = 4800,
    seed: int = 0,
) -> RecordedClip:
    """A clip that is in store and catalog."""
    path = spool_clip(folder, clip_bytes(noise16(frames, seed), about))
    return record_clip(catalog, store, path, group_s=GROUP_S)


def say(
    catalog: Catalog,
    clip_id: int,
    class_path: str,
    verdict: str = "present",
    *,
    superseded_by: int | None = None,
) -> int:
    """What somebody says of a clip; returns the annotation's number."""
    with catalog.session() as session:
        said = Annotation(
            clip_id=clip_id,
            class_path=class_path,
            verdict=verdict,
            annotator="ann",
            tool="test",
            made_at=NOON,
            superseded_by_id=superseded_by,
        )
        session.add(said)
        session.flush()
        return said.id


def supersede(catalog: Catalog, annotation_id: int, by_id: int) -> None:
    with catalog.session() as session:
        session.get_one(Annotation, annotation_id).superseded_by_id = by_id
