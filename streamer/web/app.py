"""The web process's application: the gateway, sources and channels, Socket.IO, pages, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify, request

from serving.gateway import make_gateway
from serving.gateway.answers import error_object
from serving.gateway.guard import is_allowed_origin
from streamer.web.annotation_views import add_annotation_views
from streamer.web.callers import SocketGuard, require_caller
from streamer.web.channel_views import add_channel_views
from streamer.web.clip_views import add_clip_views
from streamer.web.core import WebCore
from streamer.web.detection_views import add_detection_views
from streamer.web.health_views import health_blueprint
from streamer.web.lineage_views import add_lineage_views
from streamer.web.metrics import Metrics
from streamer.web.openapi import openapi_document
from streamer.web.page_views import pages_blueprint
from streamer.web.queue_views import add_queue_views
from streamer.web.refusals import refused
from streamer.web.rule_views import add_rule_views
from streamer.web.sockets import Sockets
from streamer.web.source_views import add_source_views, authorised
from tidzam_platform.access import Role

_PROBES: Final = ("health.healthz", "health.readyz")  # they are asked by address, and tell nothing
_FOR_ALL: Final = ("pages", "health")  # blueprints that ask for tokens themselves, or need none
_PREFLIGHT_S: Final = "600"


class WebApp:
    """The application and what runs beside it.

    Attributes:
        flask: holds the views.
        sockets: Socket.IO's side.
        wsgi: what a server calls: Socket.IO and the views, behind the guard.
    """

    def __init__(self, core: WebCore, websockets: Callable[[], int] = lambda: 0) -> None:
        """Args: ``websockets`` tells how many connections the server has given to WebSockets."""
        self._core = core
        self.flask = Flask("tidzam_web", static_folder=None)
        self.flask.json.sort_keys = False  # type: ignore[attr-defined]
        self._add_views(websockets)
        self.sockets = Sockets(self.flask, core)
        self.wsgi = SocketGuard(self.flask.wsgi_app, core.settings.web)

    def start(self) -> None:
        """Look for engine and analyzer, and tell clients what they tell."""
        self.sockets.start()
        self._core.start(self.sockets.source_news.take, self.sockets.results.take)

    def close(self) -> None:
        """End all Socket.IO connections."""
        self.sockets.close()

    def _add_views(self, websockets: Callable[[], int]) -> None:
        app, core = self.flask, self._core
        metrics = Metrics(
            core,
            lambda: {
                "socket_clients": len(self.sockets.clients),
                "live_streams": self.sockets.clients.live_streams(),
                "websockets": websockets(),
            },
        )
        api = Blueprint("streamer", __name__, url_prefix="/api/v1")
        add_source_views(api, core)
        add_channel_views(api, core)
        add_rule_views(api, core)
        add_detection_views(api, core)
        add_clip_views(api, core)
        add_annotation_views(api, core)
        add_queue_views(api, core)
        add_lineage_views(api, core)
        app.register_blueprint(api)
        app.register_blueprint(health_blueprint(core, metrics))
        app.register_blueprint(pages_blueprint(core.settings.icecast))
        app.register_blueprint(
            make_gateway(
                core.settings,
                core=core.gateway,
                allowed_origins=core.settings.web.allowed_origins,
                document=openapi_document(),
            )
        )
        app.before_request(self._look_at_caller)
        app.after_request(self._finish)
        app.register_error_handler(Exception, self._refuse)

    def _look_at_caller(self) -> None:
        if request.endpoint in _PROBES:
            return
        require_caller(request.method, request.environ, self._core.settings.web)
        if request.method != "OPTIONS" and request.blueprint not in _FOR_ALL:
            authorised(self._core, Role.LISTEN)

    def _finish(self, answer: Response) -> Response:
        self._core.counts.add("requests_total")
        if answer.status_code >= 400:
            self._core.counts.add("refused_requests_total")
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Cache-Control", "no-store")
        allowed = self._core.settings.web.allowed_origins
        if allowed:
            answer.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin and is_allowed_origin(origin, allowed):
            answer.headers["Access-Control-Allow-Origin"] = origin
            if request.method == "OPTIONS":
                answer.headers["Access-Control-Allow-Methods"] = answer.headers.get("Allow", "")
                answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
                answer.headers["Access-Control-Max-Age"] = _PREFLIGHT_S
        return answer

    def _refuse(self, error: Exception) -> Response:
        refusal = refused(error)
        answer: Any = jsonify(error_object(refusal, self._core.without_paths(refusal.message)))
        answer.status_code = refusal.status
        answer.headers.update(refusal.headers)
        return answer  # type: ignore[no-any-return]
