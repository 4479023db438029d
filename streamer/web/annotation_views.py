"""What people say of clips and detections, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from serving.gateway.refusals import HttpRefusalError
from streamer.web.access import Caller
from streamer.web.annotation_schemas import Annotating
from streamer.web.arguments import MAX_WHOLE, Arguments
from streamer.web.clip_views import found_clip
from streamer.web.core import WebCore
from streamer.web.schemas import checked
from streamer.web.source_views import authorised, body
from tidzam_platform.access import Role
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.listing import AnnotationQuery, annotation_object, find_annotations
from tidzam_platform.labels.targets import ClipTarget, DetectionTarget, Target

LISTING: Final = ("history", "limit", "after")
FINDING: Final = ("start", "channel")
_TOOL: Final = "web"
_MAX_PAGE: Final = 1000
_IDENTITY: Final = re.compile(r"[A-Za-z0-9]{1,64}")


def add_annotation_views(views: Blueprint, core: WebCore) -> None:
    """``/clips/ID/annotations`` and ``/detections/ID/annotations``."""

    @views.get("/clips/<clip>/annotations")
    def of_clip(clip: str) -> Response:
        authorised(core, Role.LISTEN)
        return _listed(core, clip_id=found_clip(core, clip).id)

    @views.post("/clips/<clip>/annotations")
    def label_clip(clip: str) -> tuple[Response, int]:
        caller = authorised(core, Role.LABEL)
        return _annotated(core, caller, ClipTarget(found_clip(core, clip).id))

    @views.get("/detections/<detection>/annotations")
    def of_detection(detection: str) -> Response:
        authorised(core, Role.LISTEN)
        return _listed(core, detection_id=_known(detection))

    @views.post("/detections/<detection>/annotations")
    def label_detection(detection: str) -> tuple[Response, int]:
        caller = authorised(core, Role.LABEL)
        asked = Arguments(FINDING)
        start, channel = asked.moment("start"), asked.text("channel")
        with core.questions.place():
            found = core.library.detections.find(
                _known(detection), start=start, channel=channel, within_s=core.settings.web.query_s
            )
        if found is None:
            raise _no_detection(detection)
        return _annotated(core, caller, DetectionTarget(found))


def _listed(core: WebCore, **of: Any) -> Response:
    asked = Arguments(LISTING)
    query = AnnotationQuery(**of, standing_only=not asked.yes("history"))
    limit = asked.whole("limit", 1, _MAX_PAGE) or _MAX_PAGE
    rows = find_annotations(
        core.library.catalog, query, limit=limit, after_id=asked.whole("after", 0, MAX_WHOLE) or 0
    )
    next_after = rows[-1].id if len(rows) == limit else None
    return jsonify({"annotations": _objects(rows), "next_after": next_after})


def _annotated(core: WebCore, caller: Caller, target: Target) -> tuple[Response, int]:
    said = checked(Annotating, body(), "annotations")
    outcome = annotate(
        core.library.catalog,
        target,
        [one.statement() for one in said.annotations],
        annotator=caller.name,
        tool=_TOOL,
        replaces=said.replaces,
        corrects=said.corrects,
    )
    answer = {
        "annotations": _objects(sorted((*outcome.made, *outcome.kept), key=lambda row: row.id)),
        "made": len(outcome.made),
        "kept": len(outcome.kept),
        "superseded": outcome.superseded,
        "withdrawn": outcome.withdrawn,
    }
    return jsonify(answer), 201 if outcome.made else 200


def _objects(rows: Sequence[Annotation]) -> list[dict[str, Any]]:
    return [annotation_object(row) for row in rows]


def _known(detection: str) -> str:
    if not _IDENTITY.fullmatch(detection):
        raise _no_detection(detection)
    return detection


def _no_detection(detection: str) -> HttpRefusalError:
    return HttpRefusalError(404, "not_found", f"there is no detection {detection[:80]!r}")
