"""Clips over HTTP: filters, pages, and their audio."""

from __future__ import annotations

import io
import re
from typing import Final

from flask import Blueprint, Response, jsonify, send_file

from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.web.arguments import MAX_WHOLE, Arguments
from streamer.web.core import WebCore
from streamer.web.source_views import authorised
from tidzam_platform.access import Role
from tidzam_platform.clips import ClipQuery, FoundClip, find_clip, find_clips
from tidzam_platform.clips.listing import MAX_PAGE
from tidzam_platform.errors import ObjectNotFoundError

PARAMETERS: Final = (
    "from", "to", "channel", "class", "min_score", "max_score", "generation", "rule", "destination", "labelled",
    "limit", "cursor",
)  # fmt: skip
_DEFAULT_LIMIT: Final = 100
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_CURSOR: Final = re.compile(r"[0-9]{1,18}")
_MEDIA_TYPES: Final = {"flac": "audio/flac", "wav": "audio/wav", "ogg": "audio/ogg", "mp3": "audio/mpeg"}
_ANY_AUDIO: Final = "application/octet-stream"


def add_clip_views(views: Blueprint, core: WebCore) -> None:
    """``/clips``, ``/clips/ID`` and ``/clips/ID/audio``."""

    @views.get("/clips")
    def clips() -> Response:
        authorised(core, Role.LISTEN)
        page = find_clips(core.library.catalog, _query(Arguments(PARAMETERS)))
        shown = [clip.as_dict() for clip in page.clips]
        return jsonify({"clips": shown, "next_cursor": page.next_cursor})

    @views.get("/clips/<clip>")
    def one_clip(clip: str) -> Response:
        authorised(core, Role.LISTEN)
        return jsonify(found_clip(core, clip).as_dict())

    @views.get("/clips/<clip>/audio")
    def audio(clip: str) -> Response:
        authorised(core, Role.LISTEN)
        found = found_clip(core, clip)
        try:
            data = core.library.store.get_bytes(found.store_key)
        except ObjectNotFoundError as error:
            raise HttpRefusalError(
                404, "not_found", f"the audio of clip {found.id} is not in the store"
            ) from error
        container = found.store_key.rpartition(".")[2]
        answer = send_file(
            io.BytesIO(data),
            mimetype=_MEDIA_TYPES.get(container, _ANY_AUDIO),
            download_name=f"{found.sha256}.{container}",
            conditional=True,  # players ask for parts
            etag=found.sha256,
        )
        answer.headers["Cache-Control"] = "private, no-cache"  # kept, but asked for: a token may be revoked
        return answer


def found_clip(core: WebCore, number: str) -> FoundClip:
    """The clip of that number; HttpRefusalError (404) where there is none."""
    if _NUMBER.fullmatch(number) and int(number) <= MAX_WHOLE:
        clip = find_clip(core.library.catalog, int(number))
        if clip is not None:
            return clip
    raise HttpRefusalError(404, "not_found", f"there is no clip {number[:40]!r}")


def _query(asked: Arguments) -> ClipQuery:
    cursor = asked.text("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise bad_request("cursor is what the page before named as next_cursor")
    return ClipQuery(
        start_from=asked.moment("from"),
        start_before=asked.moment("to"),
        channels=asked.channels(),
        classes=asked.classes(),
        generation=asked.whole("generation", 1),
        rule_id=asked.whole("rule", 1),
        destination=asked.text("destination"),
        lowest_score=asked.share("min_score"),
        highest_score=asked.share("max_score"),
        is_labelled=asked.yes("labelled"),
        limit=asked.whole("limit", 1, MAX_PAGE) or _DEFAULT_LIMIT,
        cursor=cursor,
    )
