"""The gateway as a blueprint for any Flask application, and as an application of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from serving.gateway.answers import error_object
from serving.gateway.detect_views import add_detect_views
from serving.gateway.generation_views import add_generation_views
from serving.gateway.guard import require_known_caller
from serving.gateway.hearing import GatewayCore
from serving.gateway.jibjib.views import jibjib_blueprint
from serving.gateway.openapi import openapi_document
from serving.gateway.page import CONTENT_SECURITY_POLICY, render_page
from serving.gateway.refusals import HttpRefusalError
from serving.gateway.requests import to_refusal
from serving.gateway.shadow_views import add_shadow_view
from tidzam_platform.errors import TidzamError
from tidzam_platform.settings import Settings

EXTENSION = "tidzam_gateway"  # under which an application holds its GatewayCore


def make_gateway(
    settings: Settings,
    *,
    core: GatewayCore | None = None,
    allowed_origins: Collection[str] = (),
    document: dict[str, Any] | None = None,
) -> Blueprint:
    """All paths of the gateway: ``/api/v1/...`` and JibJib's, to be registered at the root of an application.

    Every request is checked (``guard``), every refusal is JSON. The application may have views of its own beside it.

    Args:
        settings: sections gateway, model_server, decision; and the home.
        core: made from the settings by default; its owner closes it.
        allowed_origins: of other sites whose pages may use it.
        document: OpenAPI, of the whole application, to be told instead of the gateway's own.

    Raises:
        SettingsError: the token, or the table of species, cannot be used.
    """
    core = core or GatewayCore(settings)
    gateway = Blueprint("gateway", __name__)
    gateway.register_blueprint(_api(core, document or openapi_document()))
    gateway.register_blueprint(jibjib_blueprint(core))

    @gateway.before_request
    def check_caller() -> None:
        _require_known_caller(settings, allowed_origins)

    @gateway.after_request
    def harden(answer: Response) -> Response:
        return _harden(answer)

    return gateway


def create_gateway_app(settings: Settings, *, core: GatewayCore | None = None) -> Flask:
    """An application that holds the gateway and nothing else; ``/`` leads to its documentation.

    Raises:
        SettingsError: as ``make_gateway``.
    """
    core = core or GatewayCore(settings)
    app = Flask("tidzam_gateway", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = core
    app.register_blueprint(make_gateway(settings, core=core))

    @app.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("gateway.api.docs"))

    # For what no view of the gateway answers: other paths, other methods, faults of ours.
    @app.before_request
    def check_caller() -> None:
        if request.blueprint is None:
            _require_known_caller(settings)

    @app.errorhandler(HttpRefusalError)
    @app.errorhandler(HTTPException)
    @app.errorhandler(Exception)
    def refused(error: Exception) -> Response:
        return _refusal_answer(error, core)

    app.after_request(_harden)
    return app


def _api(core: GatewayCore, document: dict[str, Any]) -> Blueprint:
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    add_detect_views(api, core)
    add_generation_views(api, core)
    add_shadow_view(api, core)
    page = render_page(document)

    @api.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document)

    @api.get("/docs")
    def docs() -> Response:
        answer = Response(page, content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return answer

    @api.errorhandler(HttpRefusalError)
    @api.errorhandler(TidzamError)
    @api.errorhandler(HTTPException)
    def refused(error: Exception) -> Response:
        return _refusal_answer(error, core)

    return api


def _refusal_answer(error: Exception, core: GatewayCore) -> Response:
    refusal = to_refusal(error)
    answer = jsonify(error_object(refusal, core.without_paths(refusal.message)))
    answer.status_code = refusal.status
    answer.headers.update(refusal.headers)
    return answer


def _require_known_caller(settings: Settings, allowed_origins: Collection[str] = ()) -> None:
    require_known_caller(
        request.method,
        request.environ.get("HTTP_HOST"),
        request.headers.get("Origin"),
        settings.gateway.allowed_hosts,
        allowed_origins,
    )


def _harden(answer: Response) -> Response:
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer
