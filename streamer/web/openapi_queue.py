"""The OpenAPI document's part on the queue of what to label next."""

from __future__ import annotations

from typing import Final

from serving.gateway.openapi_schemas import (
    FROM_ONE,
    SCORE,
    SECONDS,
    TEXT,
    TIME,
    Schema,
    array,
    or_null,
    shape,
)
from streamer.web.openapi_parts import operation, query
from tidzam_platform.learning.queue import MAX_PAGE

_READING: Final = (400, 401, 503)
_FIGURES: Final = ("uncertainty", "disagreement", "need", "novelty", "value")


def schemas() -> dict[str, Schema]:
    """Shapes by name."""
    return {"LabelQueue": _LABEL_QUEUE}


def paths() -> dict[str, Schema]:
    """Operations by path and method."""
    limit = query("limit", "at most so many (default 100)", {**FROM_ONE, "maximum": MAX_PAGE})
    generation = query("generation", "ranked by it; else by the newest that ranked", FROM_ONE)
    return {
        "/api/v1/queue": {
            "get": operation(
                "What to label next, what would teach most first; what is labelled since then is left out",
                "LabelQueue",
                _READING,
                parameters=[limit, generation],
            )
        }
    }


_LABEL_QUEUE: Final = shape(
    {
        "generation": {**or_null(FROM_ONE), "description": "That ranked; null where none did."},
        "items": array(
            shape(
                {
                    "rank": FROM_ONE,
                    "item": {**TEXT, "description": "clip:<id>, or <channel>@<start> of the archive."},
                    "clip": or_null(FROM_ONE),
                    "channel": or_null(TEXT),
                    "start": or_null(TIME),
                    "end": or_null(TIME),
                    "seconds": or_null(SECONDS),
                    "class_path": {**TEXT, "description": "What the generation takes it for."},
                    "score": SCORE,
                    **dict.fromkeys(_FIGURES, SCORE),
                }
            )
        ),
    }
)
