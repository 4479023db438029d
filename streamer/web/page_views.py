"""The pages ``/capture`` and ``/listen``, and the files that they load."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from flask import Blueprint, Response, redirect, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from tidzam_platform.settings import IcecastSettings

_FOLDER: Final = "streamer.web.pages"
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_ASSETS: Final = (
    "socket.js", "capture.js", "hearing.js", "listen.js", "pcm16_worklet.js", "pages.css", "icon.svg",
)  # fmt: skip


def pages_blueprint(icecast: IcecastSettings) -> Blueprint:
    """The pages; where Icecast listens is where the page to listen may load audio from."""
    views = Blueprint("pages", __name__)
    mounts = f"*:{icecast.port}" if icecast.port else "http: https:"

    @views.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("pages.listen"))

    @views.get("/listen")
    def listen() -> Response:
        return _page("listen.html", media=mounts, microphone=False)

    @views.get("/capture")
    def capture() -> Response:
        return _page("capture.html", media="'none'", microphone=True)

    @views.get("/assets/<name>")
    def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise NotFound("there is no such file")
        return _file(name)

    return views


def _page(name: str, *, media: str, microphone: bool) -> Response:
    answer = _file(name)
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"media-src {media}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    answer.headers["Permissions-Policy"] = (
        f"microphone=({'self' if microphone else ''}), camera=(), geolocation=()"
    )
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return answer


def _file(name: str) -> Response:
    content = files(_FOLDER).joinpath(name).read_bytes()
    answer = Response(content, content_type=_TYPES[name.rpartition(".")[2]])
    answer.headers["Cache-Control"] = "no-cache"
    return answer
