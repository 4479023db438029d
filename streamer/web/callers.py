"""Which pages may call: the guard of the gateway, with the names and origins of the web process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from serving.gateway.guard import require_known_caller
from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.web.server.connections import may_last
from tidzam_platform.settings import WebSettings

_DOES_SOMETHING: Final = "POST"  # a WebSocket begins with GET, and then does things


def require_caller(method: str, environ: Mapping[str, Any], settings: WebSettings) -> None:
    """HttpRefusalError for a request by another name than ours, or of another site's page that does something."""
    require_known_caller(
        method,
        environ.get("HTTP_HOST"),
        environ.get("HTTP_ORIGIN"),
        settings.allowed_hosts,
        settings.allowed_origins,
    )


def is_known_origin(origin: str, environ: Mapping[str, Any], settings: WebSettings) -> bool:
    """Whether a page from there may do things here."""
    try:
        require_caller(_DOES_SOMETHING, {**environ, "HTTP_ORIGIN": origin}, settings)
    except HttpRefusalError:
        return False
    return True


class SocketGuard:
    """WSGI around an application: what goes to Socket.IO passes no view, so it is looked at here.

    Args:
        application: WSGI.
        settings: names and origins.
    """

    def __init__(self, application: Any, settings: WebSettings) -> None:
        self._application, self._settings = application, settings

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        if may_last(str(environ.get("PATH_INFO", ""))):
            try:
                method = "OPTIONS" if environ["REQUEST_METHOD"] == "OPTIONS" else _DOES_SOMETHING
                require_caller(method, environ, self._settings)
                _require_upgrade(environ)
            except HttpRefusalError as refusal:
                return _refuse(refusal, start_response)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer


def _require_upgrade(environ: Mapping[str, Any]) -> None:
    """A request that names a protocol to upgrade to also says that it wants to: Engine.IO takes that for granted."""
    wanted = {part.strip().lower() for part in str(environ.get("HTTP_CONNECTION", "")).split(",")}
    if "HTTP_UPGRADE" in environ and "upgrade" not in wanted:
        raise bad_request("Upgrade without 'Connection: Upgrade'")


def _refuse(refusal: HttpRefusalError, start_response: Any) -> list[bytes]:
    body = json.dumps({"error": refusal.message, "code": refusal.code}).encode()
    start_response(
        f"{refusal.status} Refused",
        [("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
    )
    return [body]
