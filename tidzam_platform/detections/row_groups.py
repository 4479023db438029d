"""What a Parquet file's footer says of its row groups: the least and greatest value of each column.

See "Statistics" in the Parquet format (github.com/apache/parquet-format). Where a file tells none, any row may be
there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tidzam_platform.channel_patterns import is_wild
from tidzam_platform.detections.query import SCORE_TOLERANCE, DetectionQuery
from tidzam_platform.labels.class_paths import SEPARATOR


def starts_of(parquet: Any, group: int) -> tuple[datetime, datetime]:
    """Earliest and latest start of a row group, aware."""
    found = _range(parquet, group, "start")
    if found is None:
        return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return found[0].replace(tzinfo=UTC), found[1].replace(tzinfo=UTC)


def may_hold(parquet: Any, group: int, query: DetectionQuery) -> bool:
    """Whether a row of the group might fulfil the query; False only where none can."""
    first, last = starts_of(parquet, group)
    if (query.since is not None and last < query.since) or (query.until is not None and first >= query.until):
        return False
    scores = _range(parquet, group, "score")
    if scores is not None and (
        scores[1] < query.score_from - SCORE_TOLERANCE or scores[0] > query.score_to + SCORE_TOLERANCE
    ):
        return False
    return _may_hold_class(_range(parquet, group, "class_path"), query) and _may_hold_channel(
        _range(parquet, group, "channel"), query.channels
    )


def _may_hold_class(found: tuple[str, str] | None, query: DetectionQuery) -> bool:
    if found is None or not query.classes:
        return True
    return any(
        found[0] <= path <= found[1] or (not query.exact_classes and _may_begin(found, path + SEPARATOR))
        for path in query.classes
    )


def _may_hold_channel(found: tuple[str, str] | None, patterns: Iterable[str]) -> bool:
    known = tuple(patterns)
    if found is None or not known:
        return True
    return any(
        _may_begin(found, pattern.replace("?", "*").partition("*")[0])
        if is_wild(pattern)
        else found[0] <= pattern <= found[1]
        for pattern in known
    )


def _may_begin(found: tuple[str, str], prefix: str) -> bool:
    """Whether a text from the first to the second may begin with ``prefix``."""
    lowest, highest = found
    return highest >= prefix and lowest[: len(prefix)] <= prefix


def _range(parquet: Any, group: int, column: str) -> tuple[Any, Any] | None:
    """Least and greatest value; None where the file does not tell them."""
    place = parquet.schema_arrow.get_field_index(column)
    statistics = parquet.metadata.row_group(group).column(place).statistics
    if statistics is None or not statistics.has_min_max:
        return None
    return statistics.min, statistics.max
