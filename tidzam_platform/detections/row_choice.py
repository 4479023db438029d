"""Which rows of a Parquet file a query chooses by channel, class and score."""

from __future__ import annotations

from typing import Any

from tidzam_platform.channel_patterns import regex_of
from tidzam_platform.detections.query import SCORE_TOLERANCE, DetectionQuery
from tidzam_platform.labels.class_paths import SEPARATOR


def choosing_columns(query: DetectionQuery) -> list[str]:
    """The columns that ``chosen_rows`` looks at."""
    is_asked = {
        "channel": bool(query.channels),
        "class_path": bool(query.classes),
        "score": query.score_from > 0 or query.score_to < 1,
    }
    return [column for column, asked in is_asked.items() if asked]


def chosen_rows(rows: Any, query: DetectionQuery) -> list[Any]:
    """Boolean ``[rows]`` for each condition on those columns; all must hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    conditions = []
    if query.channels:
        conditions.append(pc.match_substring_regex(rows.column("channel"), regex_of(query.channels)))
    if query.classes:
        paths = rows.column("class_path")
        chosen = pc.is_in(paths, value_set=pa.array(query.classes))
        for path in () if query.exact_classes else query.classes:
            chosen = pc.or_(chosen, pc.starts_with(paths, path + SEPARATOR))
        conditions.append(chosen)
    if query.score_from > 0 or query.score_to < 1:
        score = rows.column("score").cast("double")
        if query.score_from > 0:
            conditions.append(pc.greater_equal(score, query.score_from - SCORE_TOLERANCE))
        if query.score_to < 1:
            conditions.append(pc.less_equal(score, query.score_to + SCORE_TOLERANCE))
    return conditions


def any_chosen(rows: Any, query: DetectionQuery) -> bool:
    """Whether any row fulfils those conditions."""
    import pyarrow.compute as pc

    mask = None
    for condition in chosen_rows(rows, query):
        mask = condition if mask is None else pc.and_(mask, condition)
    return mask is None or bool(pc.any(mask).as_py())
