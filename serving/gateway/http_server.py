"""The gateway as a process of its own, over HTTP."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask

from serving.gateway.uploads import ENVELOPE_BYTES
from serving.http import HttpLimits, HttpServer
from tidzam_platform.settings import GatewaySettings

_IDLE_S: Final = 60.0
_SPARE_THREADS: Final = 4  # beside those that hear: for refusals and small answers
_MAX_HEADER_BYTES: Final = 1 << 15
_CODES: Final = {413: "too_large", 408: "too_slow"}  # all else that waitress refuses is malformed


class GatewayServer(HttpServer):
    """Serves ``app`` within the limits of ``settings``; port 0 is a free one."""

    def __init__(self, app: Flask, settings: GatewaySettings, *, host: str, port: int) -> None:
        super().__init__(
            app,
            HttpLimits(
                threads=settings.max_concurrent + _SPARE_THREADS,
                connections=settings.max_connections,
                body_bytes=(settings.max_upload_mb << 20) + ENVELOPE_BYTES,
                header_bytes=_MAX_HEADER_BYTES,
                receive_s=settings.receive_s,
                idle_s=_IDLE_S,
                lookahead=1,  # so that a sender that hangs up is noticed while it is heard
            ),
            host=host,
            port=port,
            name="the gateway",
            mend="--port, or gateway.port",
            refusal_text=_refusal_text,
        )


def _refusal_text(error: Any) -> str:
    code = _CODES.get(error.code, "bad_request")
    return json.dumps({"error": f"{error.reason}: {error.body}", "code": code})


@contextmanager
def bodies_kept_in(folder: str) -> Iterator[None]:
    """Where waitress keeps a body while it arrives: with us, and not on a /tmp that may be memory."""
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before
