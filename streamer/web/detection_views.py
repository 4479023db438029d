"""Detections over HTTP: filters, pages, and files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from serving.gateway.refusals import bad_request
from streamer.web.arguments import Arguments
from streamer.web.core import WebCore
from streamer.web.source_views import authorised
from tidzam_platform.access import Role
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.exporting import FORMAT_NAMES, media_type_of, write
from tidzam_platform.detections.formats import FORMATS, detection_object
from tidzam_platform.detections.query import MAX_PAGE, DetectionQuery

JSON: Final = "json"  # a page as an object; the files have other formats
LINES: Final = "jsonl"
_NAMES: Final = {LINES: "json"}  # of the formats of files, where they differ
FILE_FORMATS: Final = tuple(LINES if name == "json" else name for name in FORMAT_NAMES)
PARAMETERS: Final = (
    "from", "to", "channel", "class", "exact", "min_score", "max_score", "generation", "order", "limit", "cursor",
    "format", "origin",
)  # fmt: skip
_COUNT_SECONDS: Final = ("raven", "audacity")
_DEFAULT_LIMIT: Final = {True: 100, False: MAX_PAGE}
INCOMPLETE: Final = "Tidzam-Incomplete"
ORDERS: Final = ("newest", "oldest")


def add_detection_views(views: Blueprint, core: WebCore) -> None:
    """``/detections``."""

    @views.get("/detections")
    def detections() -> Response:
        authorised(core, Role.LISTEN)
        asked = Arguments(PARAMETERS)
        format_name = asked.choice("format", (JSON, *FILE_FORMATS)) or _accepted()
        query = _query(asked, format_name)
        limit = asked.whole("limit", 1, MAX_PAGE) or _DEFAULT_LIMIT[format_name == JSON]
        with core.questions.place():
            page = core.library.detections.page(
                query, limit=limit, cursor=asked.text("cursor"), within_s=core.settings.web.query_s
            )
        origin = (
            asked.moment("origin") or query.since or (page.detections[0].start if page.detections else None)
        )
        if format_name == JSON:
            answer = jsonify(
                {
                    "detections": [detection_object(one) for one in page.detections],
                    "next_cursor": page.next_cursor,
                    "incomplete": page.is_incomplete,
                }
            )
        else:
            answer = _file(core, page.detections, format_name, query, origin)
        if page.next_cursor is not None:
            answer.headers["Link"] = _next(page.next_cursor, format_name, origin)
        if page.is_incomplete:
            core.questions.cut_short()
            answer.headers[INCOMPLETE] = "true"
        answer.vary.add("Accept")
        return answer


def _accepted() -> str:
    """The format that the request's ``Accept`` prefers; JSON where it does not say."""
    by_type = {"application/json": JSON}
    for name in FILE_FORMATS:
        by_type.setdefault(media_type_of(_NAMES.get(name, name)), name)
    best = request.accept_mimetypes.best_match(list(by_type), default="application/json")
    return by_type[best]


def _query(asked: Arguments, format_name: str) -> DetectionQuery:
    is_newest_first = (asked.choice("order", ORDERS) or ORDERS[format_name != JSON]) == ORDERS[0]
    if is_newest_first and format_name in _COUNT_SECONDS:
        raise bad_request(f"{format_name} counts seconds from the first detection: leave out order=newest")
    lowest, highest = asked.share("min_score"), asked.share("max_score")
    return DetectionQuery(
        since=asked.moment("from"),
        until=asked.moment("to"),
        channels=asked.channels(),
        classes=asked.classes(),
        exact_classes=bool(asked.yes("exact")),
        score_from=0.0 if lowest is None else lowest,
        score_to=1.0 if highest is None else highest,
        generations=asked.wholes("generation", 1),
        newest_first=is_newest_first,
    )


def _file(
    core: WebCore,
    detections: Sequence[Detection],
    format_name: str,
    query: DetectionQuery,
    origin: datetime | None,
) -> Response:
    name = _NAMES.get(format_name, format_name)
    one_channel = len(query.channels) == 1 and not set("*?") & set(query.channels[0])
    pieces = write(detections, name, core.library.catalog, origin=origin, one_channel=one_channel)
    suffix = FORMATS[name].suffix if name in FORMATS else FORMATS["csv"].suffix
    answer = Response("".join(pieces), content_type=f"{media_type_of(name)}; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="detections{suffix}"'
    return answer


def _next(cursor: str, format_name: str, origin: datetime | None) -> str:
    """Where the rest is (:rfc:`8288`); seconds go on counting from where they began."""
    given = [
        (name, value) for name, value in request.args.items(multi=True) if name not in ("cursor", "origin")
    ]
    if format_name in _COUNT_SECONDS and origin is not None:
        given.append(("origin", origin.isoformat()))
    return f'<{request.path}?{urlencode([*given, ("cursor", cursor)])}>; rel="next"'
