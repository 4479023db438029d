"""Why something was heard, over HTTP."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify

from serving.gateway.refusals import HttpRefusalError
from serving.lineage import explain
from streamer.web.arguments import Arguments
from streamer.web.core import WebCore
from streamer.web.source_views import authorised
from tidzam_platform.access import Role
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.lineage import MAX_CLIPS

PARAMETERS: Final = ("start", "channel", "clips")
_DEFAULT_CLIPS: Final = 20


def add_lineage_views(views: Blueprint, core: WebCore) -> None:
    """``/detections/ID/lineage``."""

    @views.get("/detections/<detection>/lineage")
    def lineage(detection: str) -> Response:
        authorised(core, Role.LISTEN)
        asked = Arguments(PARAMETERS)
        start, channel = asked.moment("start"), asked.text("channel")
        clips = asked.whole("clips", 0, MAX_CLIPS)
        library = core.library
        with core.questions.place():
            try:
                found = explain(
                    core.settings,
                    library.catalog,
                    library.store,
                    detection,
                    start=start,
                    channel=channel,
                    clips=_DEFAULT_CLIPS if clips is None else clips,
                    within_s=core.settings.web.query_s,
                )
            except ModelRepositoryError as error:
                raise HttpRefusalError(502, "repository_failed", str(error)) from error
        return jsonify(found.as_json())
