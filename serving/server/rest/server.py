"""The REST API over HTTP."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from flask import Flask

from serving.http import HttpLimits, HttpServer
from serving.server.rest.answers import MAX_PREDICTIONS
from serving.server.rest.hosts import OwnHostOnly
from serving.server.rest.statuses import error_text

# Each waits for one answer of the model, whose batches are made of what waits; the others answer status and figures.
_THREADS: Final = MAX_PREDICTIONS + 4
_MAX_CONNECTIONS: Final = 98
_MAX_HEADER_BYTES: Final = 64 << 10


class RestServer(HttpServer):
    """Serves ``app``, bounded as ``HttpLimits`` says. On loopback the Host header must name loopback (``hosts``).

    Args:
        app: from ``make_rest_app``; its ``MAX_CONTENT_LENGTH`` becomes ``max_body_bytes``.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        max_body_bytes: largest body of a request, packed or unpacked.
        receive_s: how long a request may take to arrive.
        idle_s: how long a connection may stay open without a request, or a client take none of its answer.
    """

    def __init__(
        self,
        app: Flask,
        *,
        host: str,
        port: int,
        max_body_bytes: int,
        receive_s: float = 30.0,
        idle_s: float = 60.0,
    ) -> None:
        app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
        super().__init__(
            app,
            HttpLimits(_THREADS, _MAX_CONNECTIONS, max_body_bytes, _MAX_HEADER_BYTES, receive_s, idle_s),
            host=host,
            port=port,
            name="the model server's REST API",
            mend="--rest-port",
            refusal_text=lambda error: error_text(f"{error.reason}: {error.body}"),
        )

    def application_at(self, address: str) -> Any:
        """Guarded on loopback, where a page of another name might reach it."""
        is_loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        return OwnHostOnly(self._application) if is_loopback else self._application
