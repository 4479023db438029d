"""The labels behind a class: counted, by whom, the newest of them, and what became of them since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import AuditEntry, DatasetVersion
from tidzam_platform.clock import format_utc
from tidzam_platform.datasets.taxonomy_changes import taxonomy_of
from tidzam_platform.lineage.class_rows import VERDICTS, ClassRows
from tidzam_platform.lineage.label_queries import ClassNames, Labels, clips_there

MAX_LOOKED_UP: Final = 200_000  # clips of a verdict that are looked up by their hashes, to see which are gone
MAX_CORRECTIONS: Final = 20  # of a kind and verdict: the newest
_ERASING: Final = "audio.erase"
_MAX_ERASINGS: Final = 5


@dataclass(frozen=True)
class Behind:
    """What stands behind a class in a dataset version.

    Attributes:
        dataset_version, made_at: which one.
        class_path: as the version names it.
        counts: clips by side and verdict, in full.
        annotators: by verdict rows of ``annotator``, ``tool``, ``labels``, ``first``, ``last``.
        examples: by verdict clips with their label, the newest label first.
        corrections: labels that were superseded since, or contradicted by others; the newest first.
        corrected: how many there are in all.
        erased: clips of train and validation that the catalog has no more.
        erasings: entries of the audit since the version was made.
        looked_up: of how many it was seen whether they are gone: all, but at most ``MAX_LOOKED_UP`` of a verdict.
    """

    dataset_version: str
    made_at: str
    class_path: str
    counts: Mapping[str, Mapping[str, int]]
    annotators: Mapping[str, Sequence[Mapping[str, Any]]]
    examples: Mapping[str, Sequence[Mapping[str, Any]]]
    corrections: Sequence[Mapping[str, Any]]
    corrected: int
    erased: int
    erasings: Sequence[Mapping[str, Any]]
    looked_up: int

    def as_json(self) -> dict[str, Any]:
        """As commands and HTTP tell it."""
        return {
            "dataset_version": self.dataset_version,
            "made_at": self.made_at,
            "class_path": self.class_path,
            "clips": {side: dict(counts) for side, counts in self.counts.items()},
            "annotators": {verdict: list(rows) for verdict, rows in self.annotators.items()},
            "examples": {verdict: list(rows) for verdict, rows in self.examples.items()},
            "order": "newest label first",
            "corrections": list(self.corrections),
            "corrections_in_all": self.corrected,
            "erased": self.erased,
            "erasings": list(self.erasings),
            "looked_up": self.looked_up,
        }


def behind_class(
    session: Session, version: DatasetVersion, rows: ClassRows, class_path: str, limit: int
) -> Behind:
    """What stands behind a class: ``rows`` with what the catalog says of them, ``limit`` examples of a verdict."""
    taxonomy = taxonomy_of(session, version.summary.get("taxonomy", 0))
    annotators: dict[str, list[dict[str, Any]]] = {}
    examples: dict[str, list[dict[str, Any]]] = {}
    corrections: list[dict[str, Any]] = []
    erased = corrected = looked_up = 0
    for verdict in VERDICTS:
        hashes = rows.hashes[verdict][:MAX_LOOKED_UP]
        annotators[verdict], examples[verdict] = [], []
        if not hashes:
            continue
        labels = Labels(session, ClassNames(class_path, verdict, taxonomy), version.made_at)
        looked_up += len(hashes)
        erased += len(hashes) - clips_there(session, hashes)
        annotators[verdict] = [_annotator(row) for row in labels.by_annotator()]
        examples[verdict] = [_example(row) for row in labels.newest(limit)] if limit else []
        superseded, beside = labels.superseded(MAX_CORRECTIONS), labels.beside(MAX_CORRECTIONS)
        corrections += [_superseded(row, verdict) for row in superseded]
        corrections += [_said(row, "beside") | {"was": None} for row in beside]
        corrected += sum(found[0].in_all for found in (superseded, beside) if found)
    return Behind(
        dataset_version=version.version,
        made_at=format_utc(version.made_at),
        class_path=class_path,
        counts=rows.counts,
        annotators=annotators,
        examples=examples,
        corrections=sorted(corrections, key=lambda one: str(one["made_at"]), reverse=True),
        corrected=corrected,
        erased=erased,
        erasings=_erasings(session, version),
        looked_up=looked_up,
    )


def _annotator(row: Any) -> dict[str, Any]:
    return {
        "annotator": row.annotator,
        "tool": row.tool,
        "labels": row.labels,
        "first": format_utc(row.first),
        "last": format_utc(row.last),
    }


def _example(row: Any) -> dict[str, Any]:
    return {
        "clip": row.clip,
        "sha256": row.sha256,
        "store_key": row.store_key,
        "seconds": row.seconds,
        "channel": row.channel,
        "start": None if row.start is None else format_utc(row.start),
        "side": row.side,
        "annotation": row.annotation,
        "class_path": row.class_path,
        "start_s": row.start_s,
        "end_s": row.end_s,
        "annotator": row.annotator,
        "tool": row.tool,
        "made_at": format_utc(row.made_at),
        "superseded_by": row.superseded_by_id,
    }


def _said(row: Any, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "clip": row.clip,
        "class_path": row.class_path,
        "verdict": row.verdict,
        "annotator": row.annotator,
        "tool": row.tool,
        "made_at": format_utc(row.made_at),
        "stands": row.superseded_by_id is None,
    }


def _superseded(row: Any, verdict: str) -> dict[str, Any]:
    return _said(row, "superseded") | {
        "was": {
            "class_path": row.was_class,
            "verdict": verdict,
            "annotator": row.was_by,
            "made_at": format_utc(row.was_at),
        }
    }


def _erasings(session: Session, version: DatasetVersion) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.at > version.made_at, AuditEntry.action == _ERASING)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(_MAX_ERASINGS)
    )
    return [{"at": format_utc(row.at), "by": row.by, "reason": row.reason} for row in rows]
