"""The web process's server over HTTP."""

from __future__ import annotations

import json
from typing import Any, Final

from serving.gateway.uploads import ENVELOPE_BYTES
from serving.http import HttpLimits, HttpServer
from tidzam_platform.settings import Settings

_IDLE_S: Final = 60.0
_SPARE_THREADS: Final = 8  # beside those that hear uploads: for the small answers that pages ask for
_MAX_HEADER_BYTES: Final = 1 << 15
_CODES: Final = {
    413: "too_large",
    408: "too_slow",
    500: "internal",
}  # all else that waitress refuses is malformed


class WebServer(HttpServer):
    """Serves ``application`` (WSGI) within the limits of the sections web and gateway; port 0 is a free one."""

    def __init__(self, application: Any, settings: Settings, *, host: str, port: int) -> None:
        super().__init__(
            application,
            HttpLimits(
                threads=settings.gateway.max_concurrent + _SPARE_THREADS,
                connections=settings.web.max_connections,
                body_bytes=(settings.gateway.max_upload_mb << 20) + ENVELOPE_BYTES,
                header_bytes=_MAX_HEADER_BYTES,
                receive_s=settings.gateway.receive_s,
                idle_s=_IDLE_S,
                lookahead=1,  # so that a sender that hangs up is noticed while it is heard
            ),
            host=host,
            port=port,
            name="the web process",
            mend="--port, or web.port",
            refusal_text=_refusal_text,
        )

    @property
    def websockets(self) -> int:
        """Connections that WebSockets hold now."""
        return 0 if self._server is None else int(self._server.taken)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """As ``HttpServer.stop``; WebSockets end at once."""
        if self._server is not None:
            self._server.end_taken()
        return super().stop(timeout_s)

    def server_class(self) -> Any:
        """Waitress with requests that may last."""
        from streamer.web.server.connections import LastingServer

        return LastingServer


def _refusal_text(error: Any) -> str:
    code = _CODES.get(error.code, "bad_request")
    return json.dumps({"error": f"{error.reason}: {error.body}", "code": code})
