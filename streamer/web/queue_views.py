"""What to label next, over HTTP."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify

from streamer.web.arguments import Arguments
from streamer.web.core import WebCore
from streamer.web.source_views import authorised
from tidzam_platform.access import Role
from tidzam_platform.learning.queue import MAX_PAGE, read_queue

PARAMETERS: Final = ("limit", "generation")
_DEFAULT_LIMIT: Final = 100


def add_queue_views(views: Blueprint, core: WebCore) -> None:
    """``/queue``."""

    @views.get("/queue")
    def queue() -> Response:
        authorised(core, Role.LISTEN)
        asked = Arguments(PARAMETERS)
        generation = asked.whole("generation", 1)
        limit = asked.whole("limit", 1, MAX_PAGE) or _DEFAULT_LIMIT
        entries = read_queue(core.library.catalog, limit=limit, generation=generation)
        return jsonify(
            {
                "generation": entries[0].generation if entries else generation,
                "items": [entry.as_dict() for entry in entries],
            }
        )
