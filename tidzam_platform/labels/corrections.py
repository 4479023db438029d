"""What a file said and a person took back since: reading the file again must not undo that."""

from __future__ import annotations

from collections.abc import Sequence

from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.labels.statement import Statement

Identity = tuple[str, float | None, float | None, float | None, float | None]
"""Class, stretch and frequencies: what a verdict is about."""


def identity_of(said: Statement | Annotation) -> Identity:
    """What it is about."""
    return said.class_path, said.start_s, said.end_s, said.low_hz, said.high_hz


def corrected_elsewhere(ours: Sequence[Annotation], tool: str) -> dict[tuple[Identity, str], Annotation]:
    """What this tool said and another one corrected since: (what, verdict) -> what stands now.

    A correction counts however many others came before and after it. What the tool said once more was not corrected
    by what came before.

    Args:
        ours: all annotations of a target by one annotator, in ascending order of number.
        tool: e.g. ``label import``.
    """
    by_number = {row.id: row for row in ours}
    newest = {(identity_of(row), row.verdict): row for row in ours if row.tool == tool}
    found = {}
    for said, row in newest.items():
        last, is_elsewhere = row, False
        while last.superseded_by_id is not None and last.superseded_by_id in by_number:
            last = by_number[last.superseded_by_id]
            is_elsewhere = is_elsewhere or last.tool != tool
        if is_elsewhere:
            found[said] = last
    return found
