"""What is heard in an upload, and what can be heard at all."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, Response, jsonify, request

from serving.gateway.answers import classes_object, hearing_object
from serving.gateway.hearing import GatewayCore
from serving.gateway.refusals import bad_request
from serving.gateway.requests import gone
from serving.gateway.uploads import received

_LOG = logging.getLogger(__name__)


def add_detect_views(views: Blueprint, core: GatewayCore) -> None:
    """``POST /detect``, ``GET /classes`` and ``GET /ready``."""

    @views.post("/detect")
    def detect() -> Response:
        begun_s = time.monotonic()
        deadline = core.new_deadline()
        with core.slots.take(), received(request, core.spool, core.max_upload_bytes, deadline) as upload:
            hearing = core.hear(upload, deadline, gone(request))
        _LOG.info("%.1f s of audio heard in %.1f s", hearing.info.seconds, time.monotonic() - begun_s)
        return jsonify(hearing_object(hearing))

    @views.get("/classes")
    def classes() -> Response:
        _require_no_query()
        return jsonify(classes_object(core.model().describe()))

    @views.get("/ready")
    def ready() -> Response:
        _require_no_query()
        return jsonify({"generation": core.model().describe().generation})


def _require_no_query() -> None:
    if request.args:
        raise bad_request("no parameters are taken here")
