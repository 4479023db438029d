"""Whether the web process lives, whether it can do its work, and what it counts."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from serving.gateway.refusals import HttpRefusalError
from streamer.web.core import WebCore
from streamer.web.metrics import CONTENT_TYPE, Metrics
from streamer.web.source_views import authorised
from tidzam_platform.access import Role


def health_blueprint(core: WebCore, metrics: Metrics) -> Blueprint:
    """``/healthz``, ``/readyz``, ``/metrics``."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    @views.get("/readyz")
    def readyz() -> Response:
        graph = core.engine.request_quickly("status").get("graph")
        if not graph or not graph.get("running", True):
            raise HttpRefusalError(
                503, "graph_unavailable", "the engine answers, and its audio graph does not run"
            )
        return jsonify({"status": "ready", "graph": graph.get("kind", "")})

    @views.get("/metrics")
    def page() -> Response:
        authorised(core, Role.LISTEN)
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    return views
