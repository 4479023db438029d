"""Channels and the mixer over HTTP."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, jsonify, request

from serving.gateway.refusals import bad_request
from streamer.web.core import WebCore
from streamer.web.refusals import not_found
from streamer.web.schemas import ChannelName, MixerChange, checked
from streamer.web.source_views import authorised, body
from tidzam_platform.access import Role
from tidzam_platform.errors import SourceError

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}")
_DEFAULT_LIMIT: Final = "100"
_MAX_LIMIT: Final = 1000


def add_channel_views(views: Blueprint, core: WebCore) -> None:
    """``/channels``, ``/mixer/CHANNEL`` and ``/mixer/audit``."""

    @views.get("/channels")
    def channels() -> Response:
        authorised(core, Role.LISTEN)
        return jsonify(core.channels())

    @views.put("/mixer/<channel>")
    def change(channel: str) -> Response:
        caller = authorised(core, Role.OPERATE)
        asked = checked(MixerChange, body(), "mixer").model_dump(exclude_none=True)
        try:
            changed = core.engine.request("mixer.set", channel=_known(channel), by=caller.name, **asked)
        except SourceError as error:
            raise not_found(error) from error
        return jsonify(changed)

    @views.delete("/mixer/<channel>")
    def release(channel: str) -> Response:
        caller = authorised(core, Role.OPERATE)
        try:
            return jsonify(core.engine.request("mixer.release", channel=_known(channel), by=caller.name))
        except SourceError as error:
            raise not_found(error) from error

    @views.get("/mixer/audit")
    def audit() -> Response:
        authorised(core, Role.LISTEN)
        asked = request.args.get("limit", _DEFAULT_LIMIT)
        if not _LIMIT.fullmatch(asked) or int(asked) > _MAX_LIMIT:
            raise bad_request(f"limit is a number from 1 to {_MAX_LIMIT}")
        return jsonify({"changes": core.engine.request("mixer.audit", limit=int(asked))["changes"]})


def _known(channel: str) -> str:
    return checked(ChannelName, {"channel": channel}, "mixer").channel
