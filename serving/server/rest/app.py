"""The REST API as a Flask application: which answer each path gets."""

from __future__ import annotations

import logging
import time
from typing import Final

import grpc
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from serving.repository.server_files import METRICS_PATH
from serving.server.metrics import Metrics
from serving.server.refusals import RefusalError
from serving.server.requests import Requests
from serving.server.rest.answers import Answers
from serving.server.rest.bodies import too_large
from serving.server.rest.paths import Target, is_api_path, parse_target
from serving.server.rest.statuses import HTTP_CODES, JSON_TYPE, error_text

_LOG = logging.getLogger(__name__)

#: How long a request may take from when a thread takes it up, TensorFlow Serving's --rest_api_timeout_in_ms.
TIMEOUT_S: Final = 30.0
#: Largest body, unless a RestServer sets another.
MAX_BODY_BYTES: Final = 64 << 20
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


def make_rest_app(requests: Requests, metrics: Metrics, *, timeout_s: float = TIMEOUT_S) -> Flask:
    """TensorFlow Serving's REST API, and Prometheus' figures.

    Args:
        requests: what answers.
        metrics: what is shown at ``/monitoring/prometheus/metrics``; each request is counted there.
        timeout_s: how long a request may take.

    The largest body is Flask's setting ``MAX_CONTENT_LENGTH``.
    """
    answers = Answers(requests, timeout_s)
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.merge_slashes = False  # would redirect instead of refuse

    def answer(path: str) -> Response:  # noqa: ARG001 - the path is read as it was sent
        sent = _sent_path()
        if sent == METRICS_PATH:
            page, content_type = metrics.render()
            return Response(page, content_type=content_type)
        if not is_api_path(sent):
            return _json_response(
                error_text(
                    f"Not Found: {sent}; the API begins at /v1/models/tidzam, the figures are at "
                    f"{METRICS_PATH}"
                ),
                404,
            )
        return _api_response(answers, metrics, sent)

    for rule, defaults in (("/", {"path": ""}), ("/<path:path>", None)):
        app.add_url_rule(
            rule, "answer", answer, defaults=defaults, methods=_METHODS, provide_automatic_options=False
        )
    app.register_error_handler(HTTPException, _http_error)
    return app


def _api_response(answers: Answers, metrics: Metrics, path: str) -> Response:
    began_s = time.monotonic()
    target: Target | None = None
    code, text = grpc.StatusCode.OK, ""
    try:
        target = parse_target(request.method, path)
        text = answers.text(target, request)
    except RefusalError as error:
        code, text = error.code, error_text(error.message)
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - logged, and told to the client as INTERNAL
        _LOG.exception("a REST request failed")
        code = grpc.StatusCode.INTERNAL
        text = error_text("the server failed on this request; its log says why")
    if target is not None:
        metrics.request(target.api, "REST", code.name, time.monotonic() - began_s)
    return _json_response(text, HTTP_CODES[code])


def _sent_path() -> str:
    """The path as it was sent, with its percent signs: a %3A is no colon."""
    sent: str = request.environ.get("REQUEST_URI", request.path)
    if not sent.startswith("/"):  # the absolute form, which proxies get
        sent = "/" + sent.partition("://")[2].partition("/")[2]
    return sent.partition("?")[0].partition("#")[0]


def _http_error(error: HTTPException) -> Response:
    if error.code == 413:
        error = too_large(request.max_content_length or 0)
    return _json_response(error_text(error.description or error.name), error.code or 500)


def _json_response(text: str, code: int) -> Response:
    return Response(text, status=code, content_type=JSON_TYPE)
